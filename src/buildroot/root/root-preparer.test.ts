import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { solvedPackage } from '../../../test/support/fake-root.ts';
import { failureOf, type HostBench, openHostBench, openRootBench } from '../../../test/support/root-bench.ts';
import { toSourceRpm } from '../../../test/support/source-rpm.ts';
import { halveCache } from '../../cache/eviction.ts';
import { packagePath } from '../../cache/package-cache.ts';
import { never } from '../../core/never.ts';
import { hubRepo } from '../plan/repos.ts';

const repomd = (digest: string) =>
  `<repomd><data type="primary"><checksum type="sha256">${digest}</checksum></data></repomd>`;
const cached = (bench: HostBench, name: string) =>
  join(bench.directory, 'cache/packages', packagePath(solvedPackage(name).checksum));

/** Holds the next commit of the host until it is let go, or made to fail. */
function holdCommit({ containers: { roots } }: HostBench) {
  const gate = Promise.withResolvers<void>();
  // It may be told before anybody waits.
  gate.promise.catch(() => undefined);
  const commit = roots.commit.bind(roots);
  roots.commit = async (...call) => {
    await gate.promise.finally(() => {
      roots.commit = commit;
    });
    return commit(...call);
  };
  return gate;
}

/** Holds the installs of a root until they are let go. */
function heldInstall(code: () => Promise<number>) {
  const begun = Promise.withResolvers<void>();
  const install = () => {
    begun.resolve();
    return code();
  };
  return { begun: begun.promise, install };
}

describe('a root that no limit leaves room for', () => {
  const solveRanInto = { limit: 'memory', allowed: 2 ** 23, peak: 2 ** 23 } as const;

  it('fails with the limit in the fault and in root.log', async () => {
    const { prepare, logs } = await openRootBench({ solve: () => 137, solveRanInto });

    const said = 'killed by the memory limit of 8 MiB (peak 8 MiB)';
    expect(await failureOf(prepare())).toMatchObject({
      status: 30,
      limit: said,
      end: `exited with status 30; see root.log for more information: ${said}`,
    });
    expect(logs.texts.root).toBe(`solve 1\nchoose packages for @build: ${said}\n`);
  });

  it('is made all the same when that did no harm', async () => {
    const { prepare } = await openRootBench({ solveRanInto });

    expect((await prepare()).installed.map(({ name }) => name)).toEqual(['bash']);
  });
});

it('a root of which the repo has nothing fails with words that say so', async () => {
  const { prepare, logs } = await openRootBench({ solve: () => [] });

  const said = 'nothing of it is in the repo: correct the group, or tag its packages and make the repo again';
  expect(await failureOf(prepare())).toMatchObject({
    status: 30,
    end: `exited with status 30; see root.log for more information: ${said}`,
  });
  expect(logs.texts.root).toContain(`@build: ${said}\n`);
});

describe('a root with the same packages as one before', () => {
  it('is taken from the snapshot: nothing is solved or installed when repo and question are the same', async () => {
    const first = await openRootBench({ solve: () => ['bash', 'sed'] }, { repomd: repomd('a') });
    await first.prepare();
    const second = await openRootBench(
      { builds: [{ srpms: { 'a.src.rpm': '' } }] },
      { repomd: repomd('a'), on: first.bench },
    );

    const root = await second.withSource();
    const results = await root.rebuildSource(never);

    expect(root.installed.map(({ name }) => name)).toEqual(['bash', 'sed']);
    expect(second.created()).toEqual(['build-1']);
    const [committed = ''] = first.containers.calls.filter((call) => call.startsWith('commit '));
    expect(second.spec('build-1')?.root).toEqual({
      kind: 'layer',
      on: { kind: 'kept', id: committed.replace('commit ', '') },
    });
    expect(results.srpms).toEqual(['a.src.rpm']);
    expect(second.logs.texts.root).toMatch(
      /^@build: the solver's answer for these packages is known\n@build: taken from snapshot [0-9a-f]{12} with 2 packages\n$/,
    );
  });

  it('is taken from the snapshot, once solved, when the repo is another', async () => {
    const first = await openRootBench({}, { repomd: repomd('a') });
    await first.prepare();
    const second = await openRootBench({}, { repomd: repomd('b'), on: first.bench });

    await second.prepare();

    expect(second.created()).toEqual(['solve-1']);
  });

  it('is solved each time when the repo cannot be told from others', async () => {
    const first = await openRootBench({});
    await first.prepare();
    const second = await openRootBench({}, { on: first.bench });

    await second.prepare();

    expect(second.created()).toEqual(['solve-1']);
  });

  it('is made again from the packages of the cache when the snapshot is gone', async () => {
    const first = await openRootBench({}, { repomd: repomd('a') });
    await first.prepare();
    await first.cleanup.disposeAsync();
    const [{ key } = { key: '' }] = await first.bench.cache.snapshots.list(never);
    expect(await first.bench.cache.snapshots.forget(key)).toBe(true);
    const second = await openRootBench({}, { repomd: repomd('a'), on: first.bench });

    await second.prepare();

    expect(second.created()).toEqual(['root-1', 'install-1', 'list-1']);
    expect(second.logs.texts.root).toContain('@build: 1 packages, 0 of them fetched (0 bytes)');
  });

  it.each([
    ['arch', { targetArch: 'i686' }],
    ['personality', { personality: 'linux32' }],
    ['bootstrap image', { imageDigest: 'sha256:1' }],
  ])('is another for another %s', async (_what, request) => {
    const first = await openRootBench({}, { repomd: repomd('a') });
    await first.prepare();
    const second = await openRootBench({}, { repomd: repomd('a'), on: first.bench, request });

    await second.prepare();

    expect(second.created()).toEqual(['solve-1', 'root-1', 'install-1', 'list-1']);
  });

  it('is known again with its build requirements', async () => {
    const play = { solve: (attempt: number) => [`p${attempt}`] };
    const source = toSourceRpm({ requires: ['gcc'] });
    const first = await openRootBench(play, { repomd: repomd('a') });
    await (await first.withSource(source)).addBuildRequires(never);
    const second = await openRootBench({ solve: () => [] }, { repomd: repomd('a'), on: first.bench });

    await (await second.withSource(source)).addBuildRequires(never);
    await (await second.withSource(toSourceRpm({ requires: ['make'] }))).addBuildRequires(never);

    // Only the requirement that nobody had before is solved for, with a copy of the snapshot.
    expect(second.created()).toEqual(['solve-1']);
    expect(second.spec('solve-1')?.mounts.at(-1)).toMatchObject({ kind: 'root', access: 'copy' });
  });
});

describe('a snapshot that a task builds on', () => {
  it('is not collected while the task runs', async () => {
    const { bench, cleanup, prepare } = await openRootBench({});
    await prepare();
    const [{ key } = { key: '' }] = await bench.cache.snapshots.list(never);

    expect(await bench.cache.snapshots.forget(key)).toBe(false);
    await cleanup.disposeAsync();
    expect(await bench.cache.snapshots.forget(key)).toBe(true);
  });

  it('is missed with a word that lets the task be tried again when somebody else removes it', async () => {
    const first = await openRootBench({});
    await first.prepare();
    await first.cleanup.disposeAsync();
    const second = await openRootBench({}, { on: first.bench });
    const root = await second.withSource();
    const { roots } = second.containers;
    for (const { id } of await roots.list(never)) expect(await roots.remove({ id })).toBe(true);

    expect(await failureOf(root.rebuildSource(never))).toMatchObject({
      code: 'no-such-container',
      message: expect.stringMatching(/^root \S+ was removed while it was needed$/),
    });
  });
});

describe('a root that another task is making', () => {
  it('is waited for, and then taken from its snapshot', async () => {
    const bench = await openHostBench();
    const gate = Promise.withResolvers<number>();
    const { begun, install } = heldInstall(() => gate.promise);
    const first = await openRootBench({ install }, { on: bench });
    const second = await openRootBench({}, { on: bench });

    const making = first.prepare();
    await begun;
    const waiting = second.prepare();
    await expect
      .poll(() => second.logs.texts.root)
      .toMatch(
        /@build: another task is preparing the same root \(snapshot [0-9a-f]{12}\); waiting for it\n$/,
      );
    gate.resolve(0);
    await Promise.all([making, waiting]);

    expect(second.created()).toEqual(['solve-1']);
    expect(second.logs.texts.root).toContain('@build: taken from snapshot ');
  });

  it('is waited for until it is kept', async () => {
    const bench = await openHostBench();
    const gate = holdCommit(bench);
    const first = await openRootBench({}, { on: bench });
    const second = await openRootBench({}, { on: bench });
    const making = first.prepare();
    await expect.poll(() => first.started()).toContain('install-1');

    const waiting = second.prepare();
    await expect.poll(() => second.logs.texts.root).toContain('waiting for it\n');
    gate.resolve();
    await Promise.all([making, waiting]);

    expect(second.created()).toEqual(['solve-1']);
  });

  it.each([
    ['the other fails', 0],
    ['the other is stopped', 1],
  ])('is made here when %s', async (_what, stopped) => {
    const bench = await openHostBench();
    const abort = new AbortController();
    const gate = Promise.withResolvers<number>();
    const { begun, install } = heldInstall(() => gate.promise);
    const first = await openRootBench({ install }, { on: bench, signal: abort.signal });
    const second = await openRootBench({}, { on: bench });

    const failing = failureOf(first.prepare());
    await begun;
    const waiting = second.prepare();
    await expect.poll(() => second.logs.texts.root).toContain('waiting for it\n');
    if (stopped === 1) abort.abort(new Error('cancelled'));
    else gate.resolve(1);

    expect(await failing).toMatchObject(stopped === 1 ? { message: 'cancelled' } : { status: 30 });
    expect((await waiting).installed).toHaveLength(1);
    expect(second.created()).toEqual(['solve-1', 'root-1', 'install-1', 'list-1']);
    gate.resolve(1);
  });

  it('is made here when it could not be kept', async () => {
    const bench = await openHostBench();
    const gate = holdCommit(bench);
    const first = await openRootBench({}, { on: bench });
    const second = await openRootBench({}, { on: bench });
    const making = failureOf(first.prepare());
    await expect.poll(() => first.started()).toContain('install-1');

    const waiting = second.prepare();
    await expect.poll(() => second.logs.texts.root).toContain('waiting for it\n');
    gate.reject(new Error('no space left'));
    await waiting;

    expect(await making).toMatchObject({ message: 'no space left' });
    expect(second.created()).toEqual(['solve-1', 'root-1', 'install-1', 'list-1']);
  });

  it('is not waited for by a task that is stopped', async () => {
    const bench = await openHostBench();
    const gate = Promise.withResolvers<number>();
    const { begun, install } = heldInstall(() => gate.promise);
    const abort = new AbortController();
    const first = await openRootBench({ install }, { on: bench });
    const second = await openRootBench({}, { on: bench, signal: abort.signal });

    const making = first.prepare();
    await begun;
    const waiting = failureOf(second.prepare());
    await expect.poll(() => second.logs.texts.root).toContain('waiting for it\n');
    abort.abort(new Error('cancelled'));

    expect(await waiting).toMatchObject({ message: 'cancelled' });
    gate.resolve(0);
    await making;
  });
});

describe('the draft of a root that was just made', () => {
  it('goes when package code runs', async () => {
    const { withSource, removed, bench } = await openRootBench({});
    const root = await withSource();
    expect(removed()).not.toContain('root-1');

    await root.rebuildSource(never).catch(() => undefined);
    await bench.removals.idle();

    expect(removed()).toContain('root-1');
    expect(await bench.cache.snapshots.list(never)).toMatchObject([{ title: '@build, arch x86_64' }]);
  });

  it('goes with its task when it could not be kept', async () => {
    const { prepare, cleanup, removed, bench } = await openRootBench({});
    holdCommit(bench).reject(new Error('no space left'));

    expect(await failureOf(prepare())).toMatchObject({ message: 'no space left' });
    await cleanup.disposeAsync();

    expect(removed()).toContain('root-1');
    expect(await bench.cache.snapshots.list(never)).toEqual([]);
  });

  it('goes with its task when the installation has failed', async () => {
    const { prepare, cleanup, removed, bench } = await openRootBench({ install: () => 1 });

    await failureOf(prepare());
    await cleanup.disposeAsync();

    expect(removed()).toContain('root-1');
    expect(await bench.cache.snapshots.list(never)).toEqual([]);
  });

  it('goes with its task when a package could not be had while it was made', async () => {
    const { prepare, cleanup, removed, containers, logs } = await openRootBench({
      withdrawn: ['bash'],
    });
    const { roots } = containers;
    const makeDraft = roots.prepare.bind(roots);
    const gate = Promise.withResolvers<void>();
    roots.prepare = async (...call) => {
      await gate.promise;
      return makeDraft(...call);
    };

    const ended = failureOf(prepare()).then(async (error) => {
      await cleanup.disposeAsync();
      return error;
    });
    await expect.poll(() => logs.texts.root).toContain('could not be fetched');
    // Whatever does not wait for the draft is done by then.
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    gate.resolve();

    expect(await ended).toMatchObject({ status: 30 });
    expect(removed()).toContain('root-1');
  });
});

describe('a package of a root', () => {
  it('is fetched again when it turns out to be damaged', async () => {
    const first = await openRootBench({});
    await first.prepare();
    const { bench } = first;
    await rm(cached(bench, 'bash'));
    await writeFile(cached(bench, 'bash'), 'hsab');
    const second = await openRootBench(
      { solve: () => ['bash', 'sed'], install: (attempt) => (attempt === 1 ? 41 : 0) },
      { on: bench },
    );

    await second.prepare();

    expect(second.created()).toEqual(['solve-1', 'root-1', 'install-1', 'install-2', 'list-2']);
    expect(await readFile(cached(bench, 'bash'), 'utf8')).toBe('bash');
    expect(second.logs.texts.root).toContain('1 damaged packages of the cache are fetched again\n');
    expect(second.logs.texts.root).toContain('2 packages, 1 of them fetched (4 bytes)');
  });

  it('stays while it is installed, however little room there is', async () => {
    const bench = await openHostBench();
    const install = async () => {
      await halveCache(bench.cache, never);
      return 0;
    };
    const { prepare } = await openRootBench({ install }, { on: bench });

    await prepare();

    expect(await readFile(cached(bench, 'bash'), 'utf8')).toBe('bash');
  });

  it('that somebody else removes meanwhile fails the installation with a word that lets the task be tried again', async () => {
    const bench = await openHostBench();
    const { prepare } = await openRootBench(
      {
        install: () => {
          rmSync(cached(bench, 'bash'));
          return 1;
        },
      },
      { on: bench },
    );

    expect(await failureOf(prepare())).toMatchObject({ code: 'no-such-container' });
  });

  it('that stays damaged fails the installation', async () => {
    const { prepare, created } = await openRootBench({ install: () => 41 });

    expect(await failureOf(prepare())).toMatchObject({
      status: 30,
      step: 'install packages for @build (status 41)',
    });
    expect(created()).toEqual(['solve-1', 'root-1', 'install-1', 'install-2']);
  });

  it('that cannot be fetched fails the root with status 30, and root.log says why', async () => {
    const { directory, prepare, logs, created } = await openRootBench({
      solve: () => ['bash', 'sed'],
      withdrawn: ['sed'],
    });

    expect(await failureOf(prepare())).toMatchObject({ status: 30, step: 'fetch packages for @build' });

    const url = `file://${directory}/repo/sed.rpm`;
    expect(logs.texts.root).toContain(
      `${url} could not be fetched: cannot read ${url}: there is no such file\n`,
    );
    expect(created()).not.toContain('install-1');
  });

  it('whose place cannot be followed fails the root with status 30, and says what the metadata names', async () => {
    const { prepare, logs } = await openRootBench({ places: { bash: { base: 'Packages' } } });

    const said = `the repo's metadata names "bash.rpm" below "Packages", which makes no http, https or file URL`;
    expect(await failureOf(prepare())).toMatchObject({ status: 30, end: expect.stringContaining(said) });
    expect(logs.texts.root).toContain(said);
  });

  it('is found where librepo finds it', async () => {
    const bench = await openHostBench();
    const play = {
      solve: () => ['bash', 'sed'],
      withdrawn: ['sed', 'bash'],
      places: {
        bash: { location: '/other/../b a#s%2Bh.rpm' },
        sed: { location: 'sed.rpm', base: `file://${bench.directory}/tasks/5/repo/nowhere/..` },
      },
    };
    const { directory, prepare } = await openRootBench(play, { on: bench });
    await writeFile(join(directory, 'repo/b a#s%2Bh.rpm'), 'bash');
    await writeFile(join(directory, 'repo/sed.rpm'), 'sed');

    expect((await prepare()).installed.map(({ name }) => name)).toEqual(['bash', 'sed']);
  });

  it.each([
    ['a base of its own', { base: 'file:///etc' }],
    ['a place of its own', { location: 'file:///etc/bash.rpm' }],
    ['another server', { base: 'http://127.0.0.1:9' }],
  ])('is not read from elsewhere, whatever the metadata says: %s', async (_what, place) => {
    const { prepare } = await openRootBench({ places: { bash: place } });

    expect(await failureOf(prepare())).toMatchObject({
      status: 30,
      step: 'fetch packages for @build',
      end: expect.stringContaining("none of the repo's own places"),
    });
  });

  it('that is another than the repo says fails the root with status 30, too', async () => {
    const { directory, prepare, logs } = await openRootBench({ withdrawn: ['bash'] });
    await writeFile(join(directory, 'repo/bash.rpm'), 'hsab');

    expect(await failureOf(prepare())).toMatchObject({
      status: 30,
      end: expect.stringMatching(
        /^exited with status 30; see root\.log for more information: \S+repo\/bash\.rpm is not the package that the repo describes .* Has the repo been changed after its metadata was made\?/,
      ),
    });
    expect(logs.texts.root).toContain('repo/bash.rpm is not the package that the repo describes');
  });

  it('is fetched from any of the URLs of the repo', async () => {
    const bench = await openHostBench();
    const urls = [`file://${bench.directory}/gone/`, `file://${bench.directory}/tasks/5/repo`];
    const { prepare } = await openRootBench({}, { on: bench, request: { repos: [hubRepo(urls)] } });

    await prepare();

    expect(await readFile(cached(bench, 'bash'), 'utf8')).toBe('bash');
  });

  it('is fetched from the repo that the solver took it from', async () => {
    const bench = await openHostBench();
    const elsewhere = { id: 'other', urls: [`file://${bench.directory}/gone`] };
    const repos = [elsewhere, hubRepo([`file://${bench.directory}/tasks/5/repo`])];
    const { prepare } = await openRootBench({}, { on: bench, request: { repos } });

    await prepare();

    expect(await readFile(cached(bench, 'bash'), 'utf8')).toBe('bash');
  });
});

describe("a repo's metadata, once parsed,", () => {
  /** A solver that parses metadata where there is none, and what it has found each time. */
  const parsing = (directory: string) => {
    const found: string[] = [];
    const solve = () => {
      const place = join(directory, 'solve/cache');
      const parsed = join(place, 'build.solv');
      found.push(existsSync(parsed) ? readFileSync(parsed, 'utf8') : 'nothing');
      mkdirSync(place, { recursive: true });
      writeFileSync(parsed, 'parsed');
      return ['bash'];
    };
    return { found, solve };
  };
  /** The next root of the host: for another image digest of its own, the answer would not be known. */
  const prepare = async (on: HostBench, digest: string, group: string) => {
    const { found, solve } = parsing(join(on.directory, `tasks/${5 + on.plays.size}`));
    const root = await openRootBench({ solve }, { repomd: repomd(digest), on, request: { group } });
    await root.prepare();
    return found;
  };

  it('is there for the next root from a repo with the same packages', async () => {
    const host = await openHostBench();

    expect(await prepare(host, 'a', 'build')).toEqual(['nothing']);
    expect(await prepare(host, 'a', 'srpm-build')).toEqual(['parsed']);
    expect(await prepare(host, 'b', 'srpm-build')).toEqual(['nothing']);
  });

  it('is parsed again when what was kept is damaged', async () => {
    const host = await openHostBench();
    await prepare(host, 'a', 'build');
    const [{ key } = { key: '' }] = await host.cache.metadata.list();
    await writeFile(join(host.directory, 'cache/metadata', key, 'build.solv'), 'damage');

    expect(await prepare(host, 'a', 'srpm-build')).toEqual(['nothing']);
    expect(await prepare(host, 'a', 'other')).toEqual(['parsed']);
  });

  it('is not kept of a solver that has failed', async () => {
    const host = await openHostBench();
    const failing = await openRootBench({ solve: () => 1 }, { repomd: repomd('a'), on: host });

    await failureOf(failing.prepare());

    expect(await host.cache.metadata.list()).toEqual([]);
  });
});

describe('an install that says that there is no room', () => {
  const play = {
    install: () => 1,
    installOutput: () =>
      'error: unpacking of archive failed on file /x: cpio: write failed - No space left on device\n',
  };

  it('is no fault of the packages where the disk is full', async () => {
    const { prepare, containers } = await openRootBench(play);
    containers.isFull = true;

    expect(await failureOf(prepare())).toMatchObject({
      code: 'disk-full',
      message: 'install packages for @build failed: no space left on device',
    });
  });

  it('is a failure like others where it is not: a scriptlet can say that', async () => {
    const { prepare } = await openRootBench(play);

    expect(await failureOf(prepare())).toMatchObject({ status: 30, blame: 'package' });
  });
});
