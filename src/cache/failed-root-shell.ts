import { containerName } from '../container/names.ts';
import type { StepRuntime } from '../container/step-runtime.ts';
import { printable, printableLines } from '../core/printable.ts';
import type { FailedRoot, FailedRoots } from './failed-roots.ts';

/** Who enters, and what runs there. */
export interface ShellVisit {
  /** Marks the container of this visit; no other is marked like that. */
  readonly workerId: string;
  /** For a shell: as a terminal, or with a command and plain input and output. */
  readonly terminal: boolean;
  readonly command: string | null;
}

/**
 * Opens a shell in the root of a failed build: a container as sandboxed as the build was, with the build's user and
 * environment. Home and temporary files are kept from one visit to the next, everything else is thrown away. Resolves
 * with the exit code of the shell; no container of the visit is left.
 */
export async function enterFailedRoot(
  runtime: StepRuntime,
  failed: FailedRoots,
  root: FailedRoot,
  { workerId, terminal, command }: ShellVisit,
  signal: AbortSignal,
): Promise<number> {
  await using _used = await failed.use(root, workerId);
  const { taskId, buildrootId, shell } = root;
  await using container = await runtime.create(
    {
      ...shell,
      name: containerName(workerId, taskId, buildrootId, 'shell', process.pid),
      command: ['/bin/bash', '--login', ...(command === null ? [] : ['-c', command])],
      interactive: terminal ? 'terminal' : 'pipe',
      owner: { ...shell.owner, workerId },
    },
    signal,
  );
  return await container.runAttached(signal);
}

/** What the user of the shell has to know. */
export function describeFailedRoot(root: FailedRoot, nowMs: number): string {
  const minutes = Math.round((nowMs - root.endedMs) / 60_000);
  const where = root.taskId === 0 ? '' : `task ${root.taskId}, buildroot ${root.buildrootId}: `;
  const lines = [
    `${where}${root.failure} (${minutes} min ago)`,
    'The failed step again, from the beginning; with --noprep in the tree that is there:',
    `  ${root.repeat}`,
    'What is changed outside of /builddir, /tmp and /var/tmp is gone when you leave.',
    '',
  ];
  return printableLines(lines.join('\n'));
}

/** One line for each root, for those who look for theirs. */
export function listFailedRoots(roots: readonly FailedRoot[], nowMs: number): string {
  if (roots.length === 0) return 'no root of a failed build is kept on this host\n';
  const lines = roots.map(({ taskId, endedMs, failure }) => {
    const minutes = Math.round((nowMs - endedMs) / 60_000);
    return `  task ${taskId}  ${minutes} min ago  ${printable(failure)}\n`;
  });
  return `kept on this host:\n${lines.join('')}`;
}
