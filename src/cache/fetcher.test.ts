import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { allOf } from '../../test/support/all-of.ts';
import {
  brokenAfter,
  openFileServer,
  type ServedFile,
  withoutRange,
} from '../../test/support/file-server.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { failureOf } from '../../test/support/root-bench.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import type { Proxies } from '../core/host-proxies.ts';
import { never } from '../core/never.ts';
import { Fetcher, longestSilenceMs } from './fetcher.ts';
import { RepoOrigins } from './repo-origins.ts';

async function read(url: string, from = 0, proxies: Proxies = {}, origins = new RepoOrigins([url])) {
  const opened = await new Fetcher(proxies, new ManualClock()).open(url, { from, origins, signal: never });
  return { from: opened.from, text: Buffer.concat(await allOf<Uint8Array>(opened.body)).toString() };
}

const redirect =
  (target: string, status = 302): ServedFile =>
  (response) =>
    void response.writeHead(status, { Location: target }).end('moved');

describe('Fetcher', () => {
  it('reads a file from a server, from an offset on if it is asked to', async () => {
    const { url, requests } = await openFileServer({ '/a': '0123456789' });

    expect(await read(`${url}/a`)).toEqual({ from: 0, text: '0123456789' });
    expect(await read(`${url}/a`, 4)).toEqual({ from: 4, text: '456789' });
    expect(requests.map(({ range }) => range)).toEqual([null, 'bytes=4-']);
  });

  it('says that a server begins at the beginning', async () => {
    const { url } = await openFileServer({ '/a': withoutRange('0123456789') });

    expect(await read(`${url}/a`, 4)).toEqual({ from: 0, text: '0123456789' });
  });

  it('begins again when there is nothing from the offset on', async () => {
    const { url, requests } = await openFileServer({ '/a': '0123' });

    expect(await read(`${url}/a`, 4)).toEqual({ from: 0, text: '0123' });
    expect(requests.map(({ range }) => range)).toEqual(['bytes=4-', null]);
  });

  it('follows redirects, with its offset', async () => {
    const other = await openFileServer({ '/x/c': '0123456789' });
    const { url } = await openFileServer({
      '/a': redirect('/b', 301),
      '/b': redirect(`${other.url}/x/c`, 307),
    });

    const origins = new RepoOrigins([url, other.url]);
    expect(await read(`${url}/a`, 8, {}, origins)).toEqual({ from: 8, text: '89' });
    expect(other.requests).toEqual([{ url: '/x/c', range: 'bytes=8-' }]);
  });

  it.each<[string, ServedFile, string]>([
    [
      'there is no such file',
      (response) => void response.writeHead(404).end(),
      'the server answers 404 Not Found',
    ],
    ['the server fails', (response) => void response.writeHead(503).end(), 'the server answers 503'],
    ['a redirect leads nowhere', (response) => void response.writeHead(302).end(), 'the server answers 302'],
    ['redirects have no end', redirect('/a'), 'too many redirects'],
    [
      'a redirect leads to a place on this host',
      redirect('file:///etc/passwd'),
      'it redirects to a file: URL',
    ],
    ['nobody answers', (response) => void response.destroy(), 'socket hang up'],
  ])('says which URL it could not read when %s', async (_what, file, why) => {
    const { url } = await openFileServer({ '/a': file });

    await expect(read(`${url}/a`)).rejects.toMatchObject({
      code: 'url-unreachable',
      message: expect.stringMatching(new RegExp(`^cannot read ${url}/a: .*|^cannot read file:`)),
    });
    await expect(read(`${url}/a`)).rejects.toThrow(why);
  });

  it('ends the content with an error when the connection breaks', async () => {
    const { url } = await openFileServer({ '/a': brokenAfter('0123456789', 4) });

    await expect(read(`${url}/a`)).rejects.toThrow('aborted');
  });

  it('stops with the reason of its signal, before the answer and after', async () => {
    const waiting = Promise.withResolvers<void>();
    const { url } = await openFileServer({
      '/silent': () => waiting.resolve(),
      '/slow': (response) => void response.writeHead(200).write('some'),
    });
    const before = new AbortController();
    const reader = new Fetcher({}, new ManualClock());
    const opening = reader.open(`${url}/silent`, { signal: before.signal });
    await waiting.promise;
    before.abort(new Error('cancelled'));
    await expect(opening).rejects.toThrow('cancelled');

    const after = new AbortController();
    const { body } = await reader.open(`${url}/slow`, { signal: after.signal });
    after.abort(new Error('cancelled'));
    await expect(allOf(body)).rejects.toThrow();
  });

  it('gives up on a server that does not answer, and on one that falls silent', async () => {
    const asked = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const { url } = await openFileServer({
      '/silent': () => asked.resolve(),
      '/stops': (response) => void response.writeHead(200).write('some', () => begun.resolve()),
    });
    const clock = new ManualClock();
    const reader = new Fetcher({}, clock);

    const opening = failureOf(reader.open(`${url}/silent`, { signal: never }));
    await asked.promise;
    await clock.advance(longestSilenceMs);
    const why = 'the server has sent nothing for 60 s';
    expect(await opening).toMatchObject({ passing: true, message: `cannot read ${url}/silent: ${why}` });

    const { body } = await reader.open(`${url}/stops`, { signal: never });
    const reading = body[Symbol.asyncIterator]();
    await begun.promise;
    expect(Buffer.from((await reading.next()).value ?? []).toString()).toBe('some');
    // It is the reader who is slow.
    await clock.advance(2 * longestSilenceMs);
    const more = failureOf(reading.next());
    await clock.advance(longestSilenceMs - 1);
    await clock.advance(1);
    expect(await more).toMatchObject({ passing: true, message: `cannot read ${url}/stops: ${why}` });
    expect(clock.sleeping).toBe(0);
  });

  it.each([
    [404, false],
    [403, false],
    [429, true],
    [503, true],
  ])('says whether another try may help: %i', async (status, passing) => {
    const { url } = await openFileServer({ '/a': (response) => void response.writeHead(status).end() });

    await expect(read(`${url}/a`)).rejects.toMatchObject({ passing });
  });

  it('asks the same server over the same connection', async () => {
    const ports = new Set<number | undefined>();
    const answer: ServedFile = (response, { socket }) => {
      ports.add(socket.remotePort);
      response.end('0123');
    };
    const { url } = await openFileServer({ '/a': answer });
    const reader = new Fetcher({}, new ManualClock());

    for (let times = 0; times < 3; times += 1)
      await allOf((await reader.open(`${url}/a`, { signal: never })).body);

    expect(ports.size).toBe(1);
  });

  it('opens another connection when the server has closed the one that was kept', async () => {
    const { url, requests } = await openFileServer({
      '/a': ['0123', (response) => void response.destroy(), '4567'],
    });
    const reader = new Fetcher({}, new ManualClock());
    await allOf((await reader.open(`${url}/a`, { signal: never })).body);

    const { body } = await reader.open(`${url}/a`, { signal: never });

    expect(Buffer.concat(await allOf<Uint8Array>(body)).toString()).toBe('4567');
    expect(requests).toHaveLength(3);
  });

  it('asks the proxy', async () => {
    const { url, requests } = await openFileServer({ 'http://hub.invalid/a': 'by proxy' });

    expect(await read('http://hub.invalid/a', 0, { http_proxy: url })).toMatchObject({ text: 'by proxy' });
    expect(requests).toHaveLength(1);
  });

  it('reads files of this host', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a b'), '0123456789');
    const url = pathToFileURL(join(directory, 'a b')).href;

    expect(await read(url)).toEqual({ from: 0, text: '0123456789' });
    expect(await read(url, 8)).toEqual({ from: 8, text: '89' });
    expect(await read(url, 10)).toEqual({ from: 0, text: '0123456789' });
    await expect(read(`${url}c`)).rejects.toThrow(`cannot read ${url}c: there is no such file`);
    await expect(read(pathToFileURL(directory).href)).rejects.toThrow('there is no such file');
  });

  it.each(['ftp://127.0.0.1/a', 'repos/a'])('reads nothing else: %s', async (url) => {
    await expect(read(url)).rejects.toThrow('only file, http and https URLs can be read');
  });
});
