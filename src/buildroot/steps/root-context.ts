import { join } from 'node:path';
import type { Draft, DraftSpec } from '../../container/root-store.ts';
import { copyReadable, writeReadable } from '../../core/readable-files.ts';
import type { History } from '../../journal/history.ts';
import { TaskSteps } from '../../steps/task-steps.ts';
import type { BuildrootHost } from '../host.ts';
import type { RootRequest } from '../plan/root-request.ts';
import type { RootLogs } from './root-logs.ts';

/** What a task runs the steps of a root with. */
export interface RootTask {
  readonly steps: TaskSteps;
  readonly history: History;
  /** What a step made is gone when it has been unwound. */
  readonly cleanup: AsyncDisposableStack;
}

/** That of a task of the host, or of work without one, which is task 0. */
export function rootTask(
  host: BuildrootHost,
  taskId: number,
  history: History,
  cleanup: AsyncDisposableStack,
): RootTask {
  const { runtime, removals, clock } = host;
  const waits = host.waits.of(taskId);
  const log = host.log.child({ taskId });
  return {
    steps: new TaskSteps({ runtime, history, cleanup, removals, clock, waits, log }),
    history,
    cleanup,
  };
}

/** What all steps of one root share: host, request, logs, the task's directory, and the drafts of roots. */
export class RootContext {
  readonly host: BuildrootHost;
  readonly request: RootRequest;
  readonly logs: RootLogs;
  readonly steps: TaskSteps;
  readonly history: History;
  readonly #cleanup: AsyncDisposableStack;

  constructor(
    host: BuildrootHost,
    request: RootRequest,
    logs: RootLogs,
    { steps, history, cleanup }: RootTask,
  ) {
    this.host = host;
    this.request = request;
    this.logs = logs;
    this.steps = steps;
    this.history = history;
    this.#cleanup = cleanup;
  }

  /** A place in the task's directory. */
  path(below: string): string {
    return join(this.request.directory.absolute, below);
  }

  /** Writes a file that steps read. One that is at work, since before a restart of the daemon, reads on in the old. */
  async write(below: string, content: string, mode?: number): Promise<void> {
    await writeReadable(this.path(below), content, mode);
  }

  /** Copies a file to where steps read it, in the same way. */
  async copy(from: string, below: string): Promise<void> {
    await copyReadable(from, this.path(below));
  }

  /** Something that has to stay until the task has ended. */
  hold(needed: Disposable): void {
    this.#cleanup.use(needed);
  }

  /** Prepares a root to be filled, which is removed with the task at the latest. */
  prepareRoot(draft: DraftSpec, signal: AbortSignal): Promise<Draft> {
    return this.steps.containers.own(this.#prepare(draft, signal));
  }

  async #prepare(draft: DraftSpec, signal: AbortSignal): Promise<Draft> {
    const { roots } = this.host;
    const recovered = this.history.resumed ? await roots.recover(draft, signal) : null;
    return recovered ?? roots.prepare(draft, signal);
  }

  /** Takes over the root that a previous run has filled; null when it is gone. */
  async recoverRoot(draft: DraftSpec, signal: AbortSignal): Promise<Draft | null> {
    const root = await this.host.roots.recover(draft, signal);
    if (root !== null) this.#cleanup.use(root);
    return root;
  }
}
