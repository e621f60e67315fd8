import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import {
  brokenAfter,
  openFileServer,
  type ServedFile,
  withoutRange,
} from '../../test/support/file-server.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { failureOf } from '../../test/support/root-bench.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { describeError } from '../core/errors.ts';
import { never } from '../core/never.ts';
import { Fetcher } from './fetcher.ts';
import { PackageCache, PackageUnavailable, packagePath, type WantedPackage } from './package-cache.ts';
import { RepoOrigins } from './repo-origins.ts';

const content = '0123456789';

function wanted(urls: readonly string[], text = content, kind = 'sha256'): WantedPackage {
  const checksum = `${kind}:${createHash(kind).update(text).digest('hex')}`;
  return { checksum, sizeBytes: text.length, urls, origins: new RepoOrigins(urls) };
}

/** Where the beginning of a file lies. */
const partOf = (path: string) => `${path}.${process.pid}.part`;

async function setUp(...served: readonly ServedFile[]) {
  const directory = await temporaryDirectory();
  const server = await openFileServer({ '/a.rpm': served });
  const place = (one: WantedPackage) => join(directory, packagePath(one.checksum));
  const clock = new FakeClock();
  const cache = new PackageCache(directory, new Fetcher({}, new ManualClock()), clock);
  return {
    directory,
    server,
    clock,
    cache,
    one: wanted([`${server.url}/a.rpm`]),
    place,
    kept: (one: WantedPackage) => readFile(place(one), 'utf8').catch(() => null),
  };
}

describe('PackageCache', () => {
  it('fetches what is not there, once, and says how much', async () => {
    const { cache, server, one, kept, place } = await setUp(content);

    expect(await cache.ensure([one], never)).toEqual({ files: 1, bytes: 10 });
    expect(await cache.ensure([one], never)).toEqual({ files: 0, bytes: 0 });

    expect(await kept(one)).toBe(content);
    expect((await stat(place(one))).mode & 0o777).toBe(0o444);
    expect(server.requests).toHaveLength(1);
  });

  it('fetches a file once for all who want it at the same time', async () => {
    const all = Promise.withResolvers<void>();
    const { cache, server, one } = await setUp(async (response) => {
      await all.promise;
      response.end(content);
    });

    const asking = [cache.ensure([one], never), cache.ensure([one], never), cache.ensure([one, one], never)];
    await expect.poll(() => server.requests).toHaveLength(1);
    all.resolve();
    await Promise.all(asking);

    expect(server.requests).toHaveLength(1);
  });

  it('continues for the others when one of them gives up', async () => {
    const all = Promise.withResolvers<void>();
    const { cache, server, one, kept } = await setUp(async (response) => {
      await all.promise;
      response.end(content);
    });
    const abort = new AbortController();

    const leaving = failureOf(cache.ensure([one], abort.signal));
    const staying = cache.ensure([one], never);
    await expect.poll(() => server.requests).toHaveLength(1);
    abort.abort(new Error('cancelled'));
    expect(await leaving).toMatchObject({ message: 'cancelled' });
    all.resolve();
    await staying;

    expect(await kept(one)).toBe(content);
    expect(server.requests).toHaveLength(1);
  });

  it('stops with the reason of its signal when nobody else wants it, and begins again later', async () => {
    const waiting = Promise.withResolvers<void>();
    const { cache, one, kept } = await setUp(() => waiting.resolve(), content);
    const abort = new AbortController();

    const failing = failureOf(cache.ensure([one], abort.signal));
    await waiting.promise;
    abort.abort(new Error('cancelled'));

    expect(await failing).toMatchObject({ message: 'cancelled' });
    expect(await kept(one)).toBeNull();
    await cache.ensure([one], never);
    expect(await kept(one)).toBe(content);
  });

  it('continues where a transfer broke off', async () => {
    const { cache, server, one, kept } = await setUp(brokenAfter(content, 4), content);

    await cache.ensure([one], never);

    expect(await kept(one)).toBe(content);
    expect(server.requests.map(({ range }) => range)).toEqual([null, 'bytes=4-']);
  });

  it('continues with what an earlier try has left', async () => {
    const { cache, server, one, kept, place } = await setUp(
      brokenAfter(content, 4),
      (response) => void response.writeHead(404).end(),
    );
    await failureOf(cache.ensure([one], never));
    const { mode } = await stat(partOf(place(one)));
    expect(mode & 0o200).toBe(0o200);

    const { url, requests } = await openFileServer({ '/b.rpm': content });
    await cache.ensure([{ ...one, urls: [`${url}/b.rpm`] }], never);

    expect(await kept(one)).toBe(content);
    expect(requests).toEqual([{ url: '/b.rpm', range: 'bytes=4-' }]);
    expect(server.requests).toHaveLength(2);
  });

  it('waits longer and longer for a server that fails, and not at all for what it does not have', async () => {
    const { cache, server, clock } = await setUp((response) => void response.writeHead(503).end());

    await failureOf(cache.ensure([wanted([`${server.url}/gone.rpm`, `${server.url}/a.rpm`])], never));

    expect(server.requests.map(({ url }) => url)).toEqual(['/gone.rpm', ...Array(4).fill('/a.rpm')]);
    expect(clock.slept).toEqual([1000, 4000, 15_000]);
  });

  it('stops waiting when its signal is aborted', async () => {
    const { cache, one, clock } = await setUp((response) => void response.writeHead(503).end());
    const abort = new AbortController();
    const sleep = clock.sleep.bind(clock);
    clock.sleep = async (ms, signal) => {
      abort.abort(new Error('cancelled'));
      await sleep(ms, signal);
    };

    expect(await failureOf(cache.ensure([one], abort.signal))).toMatchObject({ message: 'cancelled' });
  });

  it('fetches a wrong file once more and no further, without a pause', async () => {
    const { cache, server, one, clock } = await setUp('9876543210');

    await failureOf(cache.ensure([one], never));

    expect(server.requests).toHaveLength(2);
    expect(clock.slept).toEqual([]);
  });

  it('takes the right file of a second try', async () => {
    const { cache, one, kept } = await setUp('9876543210', content);

    await cache.ensure([one], never);

    expect(await kept(one)).toBe(content);
  });

  it('begins again where a server cannot go on', async () => {
    const { cache, one, kept } = await setUp(brokenAfter(content, 4), withoutRange(content));

    await cache.ensure([one], never);

    expect(await kept(one)).toBe(content);
  });

  it('begins again when all was there but wrong', async () => {
    const { cache, server, one, kept, place } = await setUp(content);
    await mkdir(join(place(one), '..'), { recursive: true });
    await writeFile(partOf(place(one)), 'x'.repeat(12));

    await cache.ensure([one], never);

    expect(await kept(one)).toBe(content);
    // More than a package has is not gone on with.
    expect(server.requests.map(({ range }) => range)).toEqual([null]);
  });

  it.each([
    ['other content', '9876543210', /its sha256 is another\. Has/],
    ['another size', '01234', /it has 5 bytes/],
    ['nothing', '', /it has 0 bytes/],
  ])('does not keep a file with %s, and says so', async (_what, found, why) => {
    const { cache, one, kept, place } = await setUp(found);

    const error = await failureOf(cache.ensure([one], never));

    expect(error).toBeInstanceOf(PackageUnavailable);
    expect(describeError(error)).toMatch(why);
    expect(describeError(error)).toMatch(
      /a\.rpm is not the package that the repo describes.*Has the repo been changed/,
    );
    expect(await kept(one)).toBeNull();
    expect(await failureOf(stat(partOf(place(one))))).toMatchObject({ code: 'ENOENT' });
  });

  it('takes no more than the repo says that a package has', async () => {
    const most = Promise.withResolvers<number>();
    const { cache, one, place } = await setUp((response) => {
      let sent = 0;
      const piece = Buffer.alloc(64 * 1024);
      const send = () => {
        while (sent < 512 * 1024 * 1024 && response.write(piece)) sent += piece.length;
      };
      response.on('drain', send).on('close', () => most.resolve(sent));
      send();
    });

    const error = await failureOf(cache.ensure([one], never));

    expect(describeError(error)).toContain('has more than the 10 bytes that the repo says');
    expect(await most.promise).toBeLessThan(64 * 1024 * 1024);
    expect(await failureOf(stat(partOf(place(one))))).toMatchObject({ code: 'ENOENT' });
  });

  it('fetches nothing of a size that no package has', async () => {
    const { cache, server, one } = await setUp(content);

    const error = await failureOf(cache.ensure([{ ...one, sizeBytes: 10 * 2 ** 40 }], never));

    expect(describeError(error)).toContain("by the repo's word");
    expect(server.requests).toEqual([]);
  });

  it('follows a redirect to no other server of this host', async () => {
    const inner = await openFileServer({ '/latest/meta-data': 'of the host' });
    const { cache, one } = await setUp(
      (response) => void response.writeHead(302, { location: `${inner.url}/latest/meta-data` }).end(),
    );

    const error = await failureOf(cache.ensure([one], never));

    expect(describeError(error)).toContain('not on the internet');
    expect(inner.requests).toEqual([]);
  });

  it('takes a file from whichever URL has it', async () => {
    const { cache, server, kept } = await setUp(content);
    const one = wanted([`${server.url}/gone.rpm`, `${server.url}/a.rpm`]);

    await cache.ensure([one], never);

    expect(await kept(one)).toBe(content);
    expect(server.requests.map(({ url }) => url)).toEqual(['/gone.rpm', '/a.rpm']);
  });

  it('says what could not be had, and why', async () => {
    const { cache, server } = await setUp(content);

    const error = await failureOf(cache.ensure([wanted([`${server.url}/gone.rpm`])], never));

    expect(error).toBeInstanceOf(PackageUnavailable);
    expect(describeError(error)).toBe(
      `${server.url}/gone.rpm could not be fetched: cannot read ${server.url}/gone.rpm: the server answers 404 Not Found`,
    );
  });

  it('does not go on with the others when one cannot be had', async () => {
    const { cache, server } = await setUp(content);
    const others = Array.from({ length: 30 }, (_, n) => wanted([`${server.url}/gone-${n}.rpm`], `${n}`));

    await failureOf(cache.ensure(others, never));
    const { length } = server.requests;
    await cache.ensure([wanted([`${server.url}/a.rpm`])], never);

    expect(length).toBeLessThan(6 + 6);
    expect(server.requests.length).toBeLessThan(length + 6);
  });

  it('reads files of this host', async () => {
    const { cache, kept, directory } = await setUp();
    await writeFile(join(directory, 'x.rpm'), content);
    const one = wanted([pathToFileURL(join(directory, 'x.rpm')).href]);

    await cache.ensure([one], never);

    expect(await kept(one)).toBe(content);
  });

  it.each(['sha256', 'sha384', 'sha512'])('knows digests of kind %s', async (kind) => {
    const { cache, server, kept } = await setUp(content);
    const one = wanted([`${server.url}/a.rpm`], content, kind);

    await cache.ensure([one], never);

    expect(await kept(one)).toBe(content);
  });

  it.each([
    'md5:0123',
    `sha1:${'0'.repeat(40)}`,
    `sha224:${'0'.repeat(56)}`,
    'blake2b:00',
    'sha256:../../../../etc/passwd',
    'sha256:',
  ])('knows no package by %s', async (checksum) => {
    const { cache, server, one } = await setUp(content);

    const error = await failureOf(cache.ensure([{ ...one, checksum }], never));

    expect(error).toBeInstanceOf(PackageUnavailable);
    expect(String(error)).toContain(`the repo names a package by ${checksum}`);
    expect(server.requests).toEqual([]);
  });

  it('takes a file of the wrong size for none', async () => {
    const { cache, one, kept, place } = await setUp(content);
    await mkdir(join(place(one), '..'), { recursive: true });
    await writeFile(place(one), '0123');

    expect(await cache.ensure([one], never)).toMatchObject({ files: 1 });
    expect(await kept(one)).toBe(content);
  });

  it('does not remove what somebody holds', async () => {
    const { cache, one, kept } = await setUp(content);
    const [first, second] = [cache.hold([one.checksum]), cache.hold([one.checksum])];
    await cache.ensure([one], never);
    const removeAll = async () => {
      for (const file of await cache.list()) await cache.remove(file);
      return cache.missing([one.checksum]);
    };

    expect(await removeAll()).toBe(0);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(await removeAll()).toBe(0);
    second[Symbol.dispose]();
    expect(await removeAll()).toBe(1);
    expect(await kept(one)).toBeNull();
  });

  it('removes what is damaged, or gone, and nothing else', async () => {
    const { cache, server, one, kept, place } = await setUp(content);
    const good = wanted([`${server.url}/a.rpm`], content, 'sha512');
    const gone = wanted([], 'gone');
    await cache.ensure([one, good], never);
    await rm(place(one));
    await writeFile(place(one), content.replace('0', 'x'));

    expect(await cache.purge([one.checksum, good.checksum, gone.checksum], never)).toBe(2);

    expect(await kept(one)).toBeNull();
    expect(await kept(good)).toBe(content);
  });
});

describe('packagePath', () => {
  it('spreads packages over directories', () => {
    const { checksum } = wanted([]);
    const hex = checksum.slice('sha256:'.length);

    expect(packagePath(checksum)).toBe(`sha256/${hex.slice(0, 2)}/${hex}.rpm`);
  });
});
