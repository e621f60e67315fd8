import { InstanceLock } from '../assembly/instance-lock.ts';
import { type DaemonArguments, parseDaemonArguments } from '../config/command-line.ts';
import { loadConfig } from '../config/load.ts';
import type { Clock } from '../core/clock.ts';
import { complain, exitCode, type RunCommand } from './command.ts';
import { runDaemon } from './start-daemon.ts';

/** How often it is looked whether the daemon is there again. */
const lookEveryMs = 1000;

const description =
  'Gives back to the hub what a daemon has left to its next start, removes it from this host, and closes the session';

/**
 * `koji-adjutant release [--after SECONDS] [options of the daemon]`: what a handover has left behind is given back to the
 * hub. With `--after` it waits first, and does nothing when a daemon is at work by then. Resolves with the exit code.
 */
export const run: RunCommand = async (argv, { env, clock }) => {
  const [word, seconds, ...rest] = argv;
  const afterMs = word === '--after' ? Number(seconds) * 1000 : 0;
  if (!Number.isFinite(afterMs) || afterMs < 0) {
    return complain('release', `--after ${seconds} is not a number of seconds`, exitCode.usage);
  }
  const args = parseDaemonArguments(word === '--after' ? rest : argv, {
    name: 'koji-adjutant release',
    description,
  });
  if (await isDaemonBack(args, { env, clock }, afterMs)) return exitCode.ok;
  return runDaemon({ ...args, skipMain: true }, env, { resume: false });
};

/** True as soon as a daemon is at work in the area again; false when the time is over. */
async function isDaemonBack(
  args: DaemonArguments,
  { env, clock }: { readonly env: NodeJS.ProcessEnv; readonly clock: Clock },
  afterMs: number,
): Promise<boolean> {
  if (afterMs === 0) return false;
  const { state_dir: workDir } = loadConfig({ ...args, env }).adjutant;
  const endMs = clock.uptime() + afterMs;
  while (clock.uptime() < endMs) {
    if (await InstanceLock.isTaken(workDir)) return true;
    await clock.sleep(lookEveryMs);
  }
  return false;
}
