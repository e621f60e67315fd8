import type { z } from 'zod';
import { faultCodes } from '../core/koji-faults.ts';
import type { Logger } from '../core/logger.ts';
import { noWaits, type TaskWaits } from '../core/waits.ts';
import type { WakeUp } from '../core/wake-signal.ts';
import type { SubtasksApi } from '../hub/api/subtasks.ts';
import { HubFault } from '../hub/faults.ts';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { TaskFault } from './errors.ts';

/** A child as its parent has made it. */
export interface CreatedChild {
  readonly id: number;
  readonly method: string;
  readonly parentId: number;
  /** It was given to a host: no other may open it. */
  readonly assigned: boolean;
}

export interface SubtaskRequest {
  readonly method: string;
  readonly args: readonly RpcValue[];
  /** Makes the request repeatable: the hub gives the same child for the same label. Left out where Koji has none. */
  readonly label?: string;
  readonly arch?: string;
  /** Id of the host that gets it, past the scheduler. */
  readonly assign?: number;
}

export interface WaitOptions {
  /** Wait until all have ended, not only the first. */
  readonly all?: boolean;
  /** With `all`: the first that fails cancels the others and fails the wait. */
  readonly failAny?: boolean;
  /** Children whose failure is a result like any other. */
  readonly canFail?: readonly number[];
}

/**
 * The children of one task. While it waits the hub does not count the parent's weight; the daemon wakes
 * it when the hub raises `alert` or when a child that ran on this host has ended (`koji/tasks.py wait`).
 */
export class Subtasks {
  readonly #parent: number;
  readonly #hub: SubtasksApi;
  readonly #wake: WakeUp;
  readonly #signal: AbortSignal;
  readonly #host: { childMade(child: CreatedChild): void };
  readonly #log: Logger;
  readonly #waits: TaskWaits;

  /** `host` hears of every child: it waits on the hub for a host, and this one may be it. */
  constructor(
    parent: number,
    hub: SubtasksApi,
    wake: WakeUp,
    signal: AbortSignal,
    host: { childMade(child: CreatedChild): void },
    log: Logger,
    waits: TaskWaits = noWaits,
  ) {
    this.#parent = parent;
    this.#hub = hub;
    this.#wake = wake;
    this.#signal = signal;
    this.#host = host;
    this.#log = log;
    this.#waits = waits;
  }

  /** Creates a child task and resolves with its id. */
  async start(request: SubtaskRequest): Promise<number> {
    const id = await this.#hub.subtask(
      {
        method: request.method,
        arglist: request.args,
        parent: this.#parent,
        ...(request.label === undefined ? {} : { label: request.label }),
        ...(request.arch === undefined ? {} : { arch: request.arch }),
        ...(request.assign === undefined ? {} : { assign: request.assign }),
      },
      this.#signal,
    );
    this.#log.debug({ child: id, childMethod: request.method, label: request.label }, 'child task created');
    const { method, assign } = request;
    this.#host.childMade({ id, method, parentId: this.#parent, assigned: assign !== undefined });
    return id;
  }

  /** Waits for children and resolves with their results by id. Rejects with the fault of one that failed. */
  async wait(ids: readonly number[], options: WaitOptions = {}): Promise<ReadonlyMap<number, RpcValue>> {
    const { all = false, failAny = false, canFail = [] } = options;
    const checked = new Set(canFail);
    await this.#hub.taskSetWait(this.#parent, ids, this.#signal);
    const over = new AbortController();
    const waiting = AbortSignal.any([this.#signal, over.signal]);
    // The hub tells the end of a child once, so one whose answer was lost is in neither list.
    let ended = ids;
    try {
      for (;;) {
        const woken = this.#wake.next(waiting);
        // It is not awaited when the children have already ended.
        woken.catch(() => undefined);
        const state = await this.#hub.taskWait(this.#parent, this.#signal);
        this.#log.debug(state, 'waiting for child tasks');
        if (state.unfinished.length === 0) break;
        if (state.finished.length > 0) {
          if (!all) {
            ended = state.finished;
            break;
          }
          if (failAny) await this.#checkFinished(state.finished, checked);
        }
        const others = state.unfinished.join(', ');
        await this.#waits.during(
          `child task${state.unfinished.length > 1 ? 's' : ''} ${others}`,
          () => woken,
        );
      }
    } finally {
      over.abort();
    }
    return this.#hub.taskWaitResults(this.#parent, ended, canFail, this.#signal);
  }

  async #checkFinished(finished: readonly number[], checked: Set<number>): Promise<void> {
    for (const id of finished) {
      if (checked.has(id)) continue;
      try {
        await this.#hub.taskResult(id, this.#signal);
        checked.add(id);
      } catch (error) {
        if (error instanceof HubFault) await this.#hub.cancelTaskChildren(this.#parent, this.#signal);
        throw error;
      }
    }
  }
}

/** The result of one child, which another builder may have run. Throws a `TaskFault` that names it when it has another shape. */
export function childResult<T>(schema: z.ZodType<T>, results: ReadonlyMap<number, RpcValue>, id: number): T {
  const parsed = schema.safeParse(results.get(id));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const problem = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
  throw new TaskFault(
    faultCodes.generic,
    'external',
    `task ${id} has ended with another result than its parent needs: ${problem}`,
  );
}
