import { readFile, readlink, stat } from 'node:fs/promises';
import { printable } from '../../../core/printable.ts';
import type { ContainerState } from './schema.ts';

/** A process of a container as the host sees it. */
export interface HostProcess {
  /** As `ps` has it: R, S, D (waits and cannot be killed), Z (has ended, and its parent has not asked how)... */
  readonly state: string;
  /** When it was started, as the kernel counts; tells it from a later one with the same number. */
  readonly started: string;
}

const mostShown = 20;
const longestCommand = 100;

/** Null when there is no such process any more. One whose state this user must not see is `?`. */
export async function findProcess(pid: number): Promise<HostProcess | null> {
  try {
    // The name before it may hold anything, but ends with the last bracket; `proc(5)`, fields 3 and 22.
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '?', started: fields[19] ?? '' };
  } catch {
    return exists(pid) ? { state: '?', started: '' } : null;
  }
}

/** Also of a process that a mount option of /proc hides. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * The processes of a container that runs, in one line for people: number, state, where in the kernel it waits, and command
 * of each, and of the monitor. Never rejects.
 */
export async function describeProcesses({
  Pid,
  ConmonPid,
}: Pick<ContainerState, 'Pid' | 'ConmonPid'>): Promise<string> {
  const own = await describeTree(Pid ?? 0);
  return `${own}; monitored by ${await describeOne(ConmonPid ?? 0)}`;
}

/** A process and those below it. */
async function describeTree(pid: number): Promise<string> {
  const shown: string[] = [];
  const pending = [pid];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    if (shown.length === mostShown) return [...shown, 'and more'].join('; ');
    shown.push(await describeOne(next));
    const children = await textOf(`/proc/${next}/task/${next}/children`);
    pending.push(
      ...children
        .split(' ')
        .filter((word) => word !== '')
        .map(Number),
    );
  }
  return shown.join('; ');
}

async function describeOne(pid: number): Promise<string> {
  if (pid === 0) return 'none that the engine names';
  const found = await findProcess(pid);
  if (found === null) return `process ${pid}, which is gone`;
  const place = (await textOf(`/proc/${pid}/wchan`)).trim();
  const words = (await textOf(`/proc/${pid}/cmdline`)).replaceAll('\0', ' ').trim();
  // Words of a package.
  const command = printable(words.length > longestCommand ? `${words.slice(0, longestCommand)}...` : words);
  const where = place === '' || place === '0' ? '' : ` in ${place}`;
  return `process ${pid} ${found.state}${where}${command === '' ? '' : ` ${command}`}`;
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/**
 * Whether a process is of this user and of no container. Anybody may give a process the words of one of the engine's, the code of a
 * package too, and what they name is run or ended.
 */
export async function isOwnProcess(pid: string): Promise<boolean> {
  try {
    const [own, its] = await Promise.all([readlink('/proc/self/ns/pid'), readlink(`/proc/${pid}/ns/pid`)]);
    return own === its && (await stat(`/proc/${pid}`)).uid === process.getuid?.();
  } catch {
    // It has ended, or is another user's.
    return false;
  }
}
