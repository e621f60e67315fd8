/**
 * Whether a build ever hangs: many small builds in a row, several at once, with warm roots. What is asked of the solver
 * is new for each, so that its two solve containers run. Real Podman, no hub; beside other work on the processors.
 *
 *   npm run bench:endurance -- [--builds N] [--at-once N] [--load N] [--cache-dir DIR]
 *
 * Needs what `scripts/setup.sh --with-test-tools` makes. Ends with 1 when a build hangs, fails, or takes more than
 * ten times the median. What is waited for is printed when a build takes too long.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { defaultImage, ensureDefaultImage } from '../../src/assembly/default-image.ts';
import { localConfig } from '../../src/assembly/local-config.ts';
import { openLocalArea } from '../../src/assembly/local-state.ts';
import { systemClock } from '../../src/core/clock.ts';
import { describeError } from '../../src/core/errors.ts';
import { createLogger } from '../../src/core/logger.ts';
import { never } from '../../src/core/never.ts';
import { describeWaits } from '../../src/core/waits.ts';
import { hostArch } from '../../src/rpm/arch.ts';
import { rebuild } from '../../src/standalone/rebuild/rebuild.ts';
import { median } from './figures.ts';

const { values } = parseArgs({
  options: {
    builds: { type: 'string', default: '1000' },
    'at-once': { type: 'string', default: '4' },
    /** Processes that do nothing but keep a processor busy. */
    load: { type: 'string', default: String(availableParallelism()) },
    'cache-dir': { type: 'string' },
    /** A build that takes longer hangs. */
    'hang-after': { type: 'string', default: '600' },
  },
});
const builds = Number(values.builds);
const atOnce = Number(values['at-once']);
const hangMs = Number(values['hang-after']) * 1000;
const mostTimesMedian = 10;
const run = promisify(execFile);

const distribution = process.env['KOJI_ADJUTANT_TEST_DISTRO'];
if (distribution === undefined) throw new Error('KOJI_ADJUTANT_TEST_DISTRO must name the test distribution');

const top = await mkdtemp(join(tmpdir(), 'koji-adjutant-endurance-'));
const log = createLogger('error');
const config = localConfig(undefined, {}, process.env);

/** When each build that is under way was begun. */
const running = new Map<number, number>();

/** A source package that asks for what is in the root, in words of its own. */
async function makeSource(index: number): Promise<string> {
  const directory = join(top, `source-${index}`);
  await mkdir(directory, { recursive: true });
  const spec = join(directory, 'endurance.spec');
  const text = [
    'Name: endurance',
    `Version: ${index}`,
    'Release: 1',
    'Summary: A package without files',
    'License: MIT',
    'BuildArch: noarch',
    `BuildRequires: bash >= 0.${index}`,
    '%description',
    'It has none.',
    '%build',
    'echo built',
    '%files',
  ];
  await writeFile(spec, `${text.join('\n')}\n`);
  await run('rpmbuild', ['-bs', '--nodeps', '--quiet', '--define', `_topdir ${directory}`, spec]);
  return join(directory, `SRPMS/endurance-${index}-1.src.rpm`);
}

const busy: ChildProcess[] = [];
for (let count = 0; count < Number(values.load); count += 1)
  busy.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
process.on('exit', () => {
  for (const process of busy) process.kill('SIGKILL');
});

const took: number[] = [];
let failed = 0;
let hung = 0;
{
  await using area = await openLocalArea(
    {
      name: 'endurance',
      directory: values['cache-dir'] ?? join(top, 'cache'),
      config,
      env: process.env,
      log,
    },
    never,
  );
  const { digest } = await ensureDefaultImage(config, area.host.images, never);

  async function build(index: number): Promise<void> {
    const source = await makeSource(index);
    const directory = await area.openWork();
    const since = systemClock.uptime();
    running.set(index, since);
    const done = await rebuild(
      { host: area.host, id: area.id * 10_000 + index, directory, log, granted: [] },
      {
        source,
        repos: [{ id: 'build', urls: [pathToFileURL(join(distribution ?? '', 'repo')).href] }],
        group: 'build',
        packages: ['@build', `bash >= 0.${index}`],
        arch: hostArch(),
        extra: {},
        image: {
          image: defaultImage(config.adjutant.task_image_default),
          pull: config.adjutant.image_pull_policy,
          because: 'task_image_default',
        },
        imageDigest: digest,
        result: join(top, `result-${index}`),
      },
      { step: () => undefined, output: () => undefined, progress: () => undefined },
      AbortSignal.timeout(hangMs),
    ).finally(() => running.delete(index));
    if (done.kind === 'failed') throw done.failure;
    took.push(systemClock.uptime() - since);
    await rm(join(top, `result-${index}`), { recursive: true, force: true });
    await rm(join(top, `source-${index}`), { recursive: true, force: true });
    await rm(directory.absolute, { recursive: true, force: true });
    if (took.length % 25 === 0) console.log(`${new Date().toISOString()} ${summary()}`);
  }

  /** Shows what is waited for when a build takes too long. */
  async function watch(over: AbortSignal): Promise<void> {
    const told = new Set<number>();
    while (!over.aborted) {
      await systemClock.sleep(5000, over).catch(() => undefined);
      const allowedMs = Math.max(60_000, 5 * median(took));
      const late = [...running].filter(([, since]) => systemClock.uptime() - since > allowedMs);
      for (const [index] of late.filter(([each]) => !told.has(each))) {
        told.add(index);
        console.error(describeWaits(`build ${index} takes long; all`, await area.host.waits.list(0)));
      }
    }
  }
  const over = new AbortController();
  const watching = watch(over.signal);

  // The first makes the root that all others take.
  await build(1);
  took.length = 0;
  let next = 2;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < builds + 2) {
        const index = next;
        next += 1;
        const since = systemClock.uptime();
        try {
          await build(index);
        } catch (error) {
          if (systemClock.uptime() - since >= hangMs) hung += 1;
          else failed += 1;
          console.error(`build ${index}: ${describeError(error)}`);
        }
      }
    }),
  );
  over.abort();
  await watching;
}
await rm(top, { recursive: true, force: true });
console.log(summary());
const longest = Math.max(...took);
process.exitCode = hung > 0 || failed > 0 || longest > mostTimesMedian * median(took) ? 1 : 0;
process.exit();

function summary(): string {
  const middle = median(took);
  const most = Math.max(...took);
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const others = failed === 0 ? '' : `, ${failed} failed`;
  return `${took.length} builds, ${hung} hung${others}, median ${seconds(middle)} s, longest ${seconds(most)} s (${(most / middle).toFixed(1)})`;
}
