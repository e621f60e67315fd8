import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestBuilder } from './builder.ts';
import { openDevHub } from './dev-hub.ts';
import { describeE2e, makeSrpm, srpm } from './surroundings.ts';

const mebibyte = 2 ** 20;

/** Packages that take more than they should; `%build` is shell. */
const greedy = {
  memory: `awk 'BEGIN { s = "x"; while (1) s = s s }'`,
  pids: 'for i in $(seq 400); do sleep 60 & done; wait',
  disk: 'dd if=/dev/zero of=big bs=1M count=20000; sleep 600',
  log: 'seq 100000000',
  idle: 'echo last word; sleep 600',
};

describeE2e('a build that takes more than it should', () => {
  let builder: TestBuilder;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    builder = await TestBuilder.start(await openDevHub(), {
      settings: [
        ...['build_memory = 256M', 'build_pids = 200', 'build_disk = 300M'],
        ...['build_log_limit = 4M', 'build_idle_timeout = 15'],
      ],
    });
    await builder.ensureRepo('td1-build');
  });
  afterAll(async () => {
    await builder[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  it.for([
    ['memory', 'killed by the memory limit of 256 MiB (peak 256 MiB)'],
    ['pids', 'stopped by the limit of 200 processes (peak 200)'],
    ['disk', /killed by the disk limit of 300 MiB \(peak [\d.]+ [MG]iB\)/],
    ['log', /killed by the log limit of 4 MiB \(peak [\d.]+ MiB\)/],
    ['idle', /killed by the idle limit of 15 s \(no output for 15[\d.]* s\)/],
  ] as const)(
    'fails with the limit of %s, its value and the peak in fault and logs',
    async ([limit, words]) => {
      const spec = `BuildArch: noarch\n%description\nTakes.\n%build\nset +x\n${greedy[limit]}\n%files\n`;

      const build = await builder.build(await makeSrpm(directory, `greedy-${limit}`, spec));

      expect(build.fault?.code).toBe(1005);
      expect(build.fault?.text).toMatch(
        /^error building package \(arch noarch\), exited with status \d+; see \S+/,
      );
      const said = expect.stringMatching(words instanceof RegExp ? words : literally(words));
      expect(build.fault?.text).toEqual(said);
      const { tree } = await builder.child(build, 'buildArch');
      const log = await builder.log(tree.id, 'build.log');
      expect(log.slice(-200)).toEqual(said);
      expect(await builder.log(tree.id, 'root.log')).toEqual(said);
      if (limit === 'log')
        expect(log).toContain(`\n${Array.from({ length: 1000 }, (_, i) => i + 1).join('\n')}\n`);
      if (limit === 'log') expect(log.length).toBeLessThan(200 * mebibyte);
    },
  );

  it('leaves the daemon able to build the next package, and nothing on the host', async () => {
    const build = await builder.build(srpm('hello'));

    expect(build.fault).toBeNull();
    expect(await builder.leftovers()).toEqual([]);
  });
});

function literally(text: string): RegExp {
  return new RegExp(text.replace(/[()]/g, '\\$&'));
}
