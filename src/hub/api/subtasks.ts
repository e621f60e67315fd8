import { z } from 'zod';
import type { HubSession } from '../session/session.ts';
import { encodeResponse, type RpcValue, withKeywords } from '../xmlrpc/codec.ts';
import { doneBefore, waitForTaskLock } from './lost-answers.ts';
import { AnyRpcValue, Ignored, TaskInfo } from './schema.ts';

/** A task to be made below another one. What is left out is inherited from the parent or the hub's default. */
export interface SubtaskRequest {
  readonly method: string;
  readonly arglist: readonly RpcValue[];
  readonly kwargs?: Readonly<Record<string, RpcValue>>;
  readonly parent: number;
  /** Unique among the children of the parent. With it the call is repeatable: it finds the child again. */
  readonly label?: string;
  readonly arch?: string;
  readonly channel?: string;
  readonly priority?: number;
  /** Id of the host that gets it, past the scheduler. A number: what is text the hub takes for a name. */
  readonly assign?: number;
}

/** How many answers in a row are taken for lost. */
const mostLostAnswers = 5;

/** Children of a task: making them, waiting for them, their results. The parent must be OPEN on this host. */
export class SubtasksApi {
  readonly #session: HubSession;

  constructor(session: HubSession) {
    this.#session = session;
  }

  /**
   * `host.subtask`; gives the id. After a lost answer: with a label the call is made again and the hub finds
   * the child; without one the newest child of the same method and parameters is taken, else it is made.
   */
  async subtask(request: SubtaskRequest, signal?: AbortSignal): Promise<number> {
    const keywords = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
    return this.#session.call('host.subtask', [], z.int(), {
      signal,
      keywords,
      once: request.label === undefined,
      retryError: async () => {
        const made = request.label === undefined ? await this.#unlabelled(request, signal) : null;
        return made ?? this.subtask(request, signal);
      },
    });
  }

  /** `host.taskSetWait`: the task waits for these children, or for all (null), and no longer counts as load. */
  async taskSetWait(parent: number, ids: readonly number[] | null, signal?: AbortSignal): Promise<void> {
    await this.#session.call('host.taskSetWait', [parent, ids], Ignored, { signal, retryError: doneBefore });
  }

  /**
   * `host.taskWait`: which of the awaited children have finished since the last call, and which have not
   * yet. A child is reported once; after a lost answer it may be in neither list.
   */
  async taskWait(
    parent: number,
    signal?: AbortSignal,
  ): Promise<{ readonly finished: readonly number[]; readonly unfinished: readonly number[] }> {
    const answer = z.tuple([z.array(z.int()), z.array(z.int())]);
    const [finished, unfinished] = await this.#session.call('host.taskWait', [parent], answer, {
      signal,
      skipJournal: true,
      retryError: () => this.#session.call('host.taskWait', [parent], answer, { signal }),
    });
    return { finished, unfinished };
  }

  /**
   * `host.taskWaitResults`: the results by child, and the end of waiting. Throws the fault of the first
   * child that failed, 1000 for one that was cancelled; for children in `canfail` the value is
   * `{faultCode, faultString}` instead.
   */
  async taskWaitResults(
    parent: number,
    ids: readonly number[],
    canfail: readonly number[] = [],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, RpcValue>> {
    const answer = z.array(z.tuple([z.int(), AnyRpcValue]));
    const ask = (left: number): Promise<[number, RpcValue][]> =>
      this.#session.call('host.taskWaitResults', [parent, ids], answer, {
        signal,
        keywords: { canfail: canfail.length === 0 ? null : canfail },
        // The fault of a child may be one that tells of a lost answer: that of its own builder.
        ...(left > 0 && { retryError: () => ask(left - 1) }),
      });
    return new Map(await ask(mostLostAnswers));
  }

  /** `getTaskResult`: throws the task's own fault when it failed, 1000 when it has no result. */
  async taskResult(id: number, signal?: AbortSignal): Promise<RpcValue> {
    return this.#session.call('getTaskResult', [id], AnyRpcValue, { signal });
  }

  /** `cancelTaskChildren`: cancels all children that have not finished, and theirs. */
  async cancelTaskChildren(parent: number, signal?: AbortSignal): Promise<void> {
    await this.#session.call('cancelTaskChildren', [parent], Ignored, { signal, retryError: doneBefore });
  }

  /** `getTaskChildren`: all children with their parameters, in no particular order. */
  async taskChildren(parent: number, signal?: AbortSignal): Promise<readonly TaskInfo[]> {
    return this.#session.call('getTaskChildren', [parent], z.array(TaskInfo), {
      signal,
      keywords: { request: true },
    });
  }

  async #unlabelled(request: SubtaskRequest, signal?: AbortSignal): Promise<number | null> {
    await waitForTaskLock(this.#session, request.parent, signal);
    const wanted = encodeResponse(withKeywords(request.arglist, request.kwargs ?? {}));
    const children = await this.taskChildren(request.parent, signal);
    const same = children.filter(
      (child) =>
        child.method === request.method && child.label === null && encodeResponse(child.request) === wanted,
    );
    return same.length === 0 ? null : Math.max(...same.map((child) => child.id));
  }
}
