import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { TestBuilder } from './builder.ts';
import { openDevHub } from './dev-hub.ts';
import { describeE2e, makeSrpm, srpm } from './surroundings.ts';

describeE2e('inside a buildroot', () => {
  let builder: TestBuilder;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    builder = await TestBuilder.start(await openDevHub());
    await builder.ensureRepo('td1-build');
  });
  afterAll(async () => {
    await builder[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  it.concurrent('a build is an ordinary user without network, capabilities and secrets', async () => {
    const spec = `BuildArch: noarch
%description
Says what it is.
%build
section() { printf 'SECTION %%s\\n' "$1"; }
set +x
section status; cat /proc/self/status
section id; id
section umask; umask
section pwd; pwd
section network; cat /proc/net/dev
section environment; env
section mounts; cat /proc/self/mounts
section end
%files
`;
    const build = await builder.build(await makeSrpm(directory, 'what-am-i', spec));

    expect(build.fault).toBeNull();
    const { tree } = await builder.child(build, 'buildArch');
    const said = sectionsOf(await builder.log(tree.id, 'build.log'));
    const status = new Map(said('status').map((line) => [line.split(':\t')[0], line.split(':\t')[1]]));
    expect(status.get('Uid')).toBe('1000\t1000\t1000\t1000');
    for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect([name, status.get(name)]).toEqual([name, '0000000000000000']);
    expect(status.get('NoNewPrivs')).toBe('1');
    expect(status.get('Seccomp')).toBe('2');
    expect(said('id')).toEqual(['uid=1000(mockbuild) gid=135(mock) groups=135(mock)']);
    expect(said('umask')).toEqual(['0022']);
    expect(said('pwd')).toEqual(['/builddir/build/BUILD']);
    expect(
      said('network')
        .slice(2)
        .map((line) => line.trim().split(':')[0]),
    ).toEqual(['lo']);
    const environment = said('environment');
    expect(environment).toEqual(expect.arrayContaining(['HOME=/builddir', 'HOSTNAME=mock']));
    expect(environment.filter((line) => /koji|adjutant|container/i.test(line))).toEqual([]);
    expect(said('mounts').filter((line) => /podman\.sock|kojid|koji-adjutant-e2e-hub/.test(line))).toEqual(
      [],
    );
  });

  it.concurrent('a package that tries to be root or to reach the network builds, because it cannot', async () => {
    const build = await builder.build(srpm('look-around'));

    expect(build.fault).toBeNull();
  });

  it('200 MB of log arrive on the hub as they were written, and the daemon does not keep them', async () => {
    const spec = `BuildArch: noarch
%description
Writes much.
%build
set +x
awk 'BEGIN { print "TEXT " "BEGINS"; for (i = 1; i <= ${lineCount}; i++) printf "%%08d ${filling}\\n", i; print "TEXT " "ENDS" }'
%files
`;
    const file = await makeSrpm(directory, 'much-log', spec);
    const watch = watchMemory(builder.daemon.pid ?? 0);

    const build = await builder.build(file);

    const grownBytes = await watch.stop();
    expect(build.fault).toBeNull();
    const { tree } = await builder.child(build, 'buildArch');
    const log = builder.uploadPath(tree.id, 'build.log');
    expect(await digestAfter(log, 'TEXT BEGINS\n', lineCount * lineBytes)).toEqual({
      digest: expectedDigest(),
      next: 'TEXT ENDS\n',
    });
    // Some of it is the garbage of any task; one that kept the log would grow by more than its 200 MB.
    expect(grownBytes / 1e6).toBeLessThan(100);
  });

  it('leaves nothing on the host', async () => {
    expect(await builder.leftovers()).toEqual([]);
  });
});

const filling = 'x'.repeat(90);
const lineBytes = 100;
const lineCount = 2_000_000;

function expectedDigest(): string {
  const hash = createHash('sha256');
  for (let i = 1; i <= lineCount; i += 1) hash.update(`${String(i).padStart(8, '0')} ${filling}\n`);
  return hash.digest('hex');
}

/** Digest of so many bytes behind a marker, and what comes next. */
async function digestAfter(path: string, marker: string, length: number) {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(1024 * 1024), 0, 1024 * 1024, 0);
  const start = buffer.indexOf(marker) + marker.length;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { start, end: start + length - 1 })) hash.update(chunk);
  const next = await file.read(Buffer.alloc(10), 0, 10, start + length);
  return { digest: hash.digest('hex'), next: next.buffer.toString('utf8', 0, next.bytesRead) };
}

/** By how much the resident memory of a process is above what it was, at most. */
function watchMemory(pid: number) {
  const resident = () => {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  };
  const before = resident();
  let most = before;
  const stopped = new AbortController();
  const watching = (async () => {
    while (!stopped.signal.aborted) {
      most = Math.max(most, resident());
      await systemClock.sleep(200, stopped.signal).catch(() => undefined);
    }
  })();
  return {
    stop: async () => {
      stopped.abort();
      await watching;
      return most - before;
    },
  };
}

/** The lines between `SECTION name` and the next one. */
function sectionsOf(log: string): (name: string) => readonly string[] {
  const sections = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of log.split('\n')) {
    const [, name] = /^SECTION (\w+)$/.exec(line) ?? [];
    if (name === undefined) current.push(line);
    else {
      current = [];
      sections.set(name, current);
    }
  }
  return (name) => sections.get(name) ?? [];
}
