import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Clock } from '../../core/clock.ts';
import type { ContainerId } from '../spec.ts';
import { isOwnProcess } from './api/host-processes.ts';

const run = promisify(execFile);
const pollMs = 50;
/** A monitor has nothing to do but to note the end of its process. */
const endsWithinMs = 5_000;

/**
 * Ends what is left of a container that the engine has removed. A service that is killed while it starts a container has
 * no note of its monitor (conmon) and of the process that waits there to become the container: both would wait for ever,
 * with their cgroup, mounts and log. Finds nothing where the engine is on another machine. Never rejects.
 */
export async function endOrphan(id: ContainerId, clock: Clock): Promise<void> {
  const monitor = await findMonitor(id);
  if (monitor === null) return;
  const waiting = await childrenOf(monitor.pid);
  // One whose process has ended is about to end itself.
  if (waiting.length === 0) return;
  for (const pid of waiting) kill(pid);
  for (const since = clock.uptime(); clock.uptime() - since < endsWithinMs; await clock.sleep(pollMs))
    if ((await findMonitor(id)) === null) break;
  // Its cgroup, and what the runtime has noted. It knows nothing any more when the monitor has seen to that.
  await run(monitor.runtime, ['delete', '--force', id], { timeout: endsWithinMs }).catch(() => undefined);
}

interface Monitor {
  readonly pid: number;
  /** Path of the OCI runtime. */
  readonly runtime: string;
}

async function findMonitor(id: ContainerId): Promise<Monitor | null> {
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const words = await wordsOf(name);
    const runtime = words[words.indexOf('-r') + 1];
    const isNamed = words[words.indexOf('-c') + 1] === id && words.includes('--exit-dir');
    if (isNamed && runtime !== undefined && (await isOwnProcess(name))) return { pid: Number(name), runtime };
  }
  return null;
}

/** Those that are no clean-up of the engine's. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const found: number[] = [];
  for (const child of text.split(' ').filter((word) => word !== ''))
    if (!(await wordsOf(child)).includes('cleanup')) found.push(Number(child));
  return found;
}

async function wordsOf(pid: string): Promise<readonly string[]> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
