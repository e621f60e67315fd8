import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import { hostArch } from '../rpm/arch.ts';
import { PlainScreen, TerminalScreen } from '../terminal/screen.ts';
import { removeWorkFiles, runDemo } from './run.ts';

/** The program behind `scripts/demo.sh`, which prepares what it needs and tells it where that lies. */
const [state, distribution, srpm, daemon, ...daemonArguments] = process.argv.slice(2);
if (state === undefined || distribution === undefined || srpm === undefined || daemon === undefined)
  throw new Error('usage: demo STATE-DIRECTORY TEST-DISTRIBUTION SRPM DAEMON [ARGUMENT...]');

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => {
    if (!stopping.signal.aborted) process.stdout.write(`\n  stopping the daemon\n`);
    stopping.abort(new Error(`stopped by ${name}`));
  });

const screen = process.stdout.isTTY ? new TerminalScreen(process.stdout) : new PlainScreen(process.stdout);
const dir = nextDirectory(join(state, 'demo'));
try {
  const done = await runDemo({
    srpm: resolve(srpm),
    distroRepo: join(distribution, 'repo'),
    dir,
    // Two state directories may share one engine, where builders tell their containers apart by their names.
    builder: `demo-${createHash('sha256').update(state).digest('hex').slice(0, 8)}`,
    arch: hostArch(),
    daemon: [daemon, ...daemonArguments],
    env: process.env,
    clock: systemClock,
    screen,
    signal: stopping.signal,
  });
  process.exitCode = done ? 0 : 1;
} catch (error) {
  process.stderr.write(`\ndemo: ${describeError(error)}\n`);
  process.exitCode = stopping.signal.aborted ? 130 : 1;
}

/** A new directory with the number after the highest; what a demo that was killed has left in the others is removed. */
function nextDirectory(parent: string): string {
  mkdirSync(parent, { recursive: true });
  const numbers = readdirSync(parent).map(Number).filter(Number.isInteger);
  for (const number of numbers) removeWorkFiles(join(parent, String(number)));
  const directory = join(parent, String(Math.max(0, ...numbers) + 1));
  mkdirSync(directory);
  return directory;
}
