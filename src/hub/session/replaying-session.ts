import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HubFault, HubProtocolError } from '../faults.ts';
import { encodeCall, type RpcValue, withKeywords } from '../xmlrpc/codec.ts';
import type { CallOptions, HubSession, SessionState, UploadChunk, UploadedChunk } from './session.ts';

/** A call, by its method and a digest of what it is called with; part of the journal's format (`journal/step-ids.ts`). */
type CallId = `call ${string} ${string}`;

/** Where the answers of calls are kept (`journal/task-history.ts TaskHistory`). */
export interface CallJournal {
  recall<T>(
    id: CallId,
    result: z.ZodType<T>,
    options: { readonly unmarked: boolean },
    work: (begun: boolean) => Promise<T>,
  ): Promise<T>;
}

/** How a call has ended; both are an answer of the hub. */
type CallEnd<T> = { readonly answer: T } | { readonly fault: readonly [code: number, text: string] };

/**
 * The session of a task that may be resumed in another process: a call that had its answer is not made again. One that
 * was sent and has none, because the process ended in between, is taken for one whose answer was lost: its effect is
 * looked up, and it is made only when there is none. Calls that say `skipJournal` are made each time, and uploads.
 */
export class ReplayingSession implements HubSession {
  readonly #session: HubSession;
  readonly #memory: CallJournal;

  constructor(session: HubSession, memory: CallJournal) {
    this.#session = session;
    this.#memory = memory;
  }

  get info(): HubSession['info'] {
    return this.#session.info;
  }

  get hubVersion(): string | null {
    return this.#session.hubVersion;
  }

  state(): SessionState {
    return this.#session.state();
  }

  async call<T>(
    method: string,
    params: readonly RpcValue[],
    answer: z.ZodType<T>,
    options: CallOptions<T> = {},
  ): Promise<T> {
    const { retryError = 'throw' } = options;
    if (options.skipJournal === true || isLookingUp.getStore() === true)
      return this.#session.call(method, params, answer, options);
    const lookUp = retryError === 'throw' ? null : (reason: Error) => lookingUp(() => retryError(reason));
    const make = (): Promise<T> =>
      this.#session.call(method, params, answer, {
        ...options,
        ...(lookUp !== null && { retryError: lookUp }),
      });
    const ending = await this.#memory.recall(
      toCallId(method, params, options),
      // It was recorded here as it was given out.
      z.custom<CallEnd<T>>((value) => typeof value === 'object' && value !== null),
      // What changes nothing may be asked again.
      { unmarked: lookUp === null },
      async (begun): Promise<CallEnd<T>> => {
        try {
          return { answer: begun && lookUp !== null ? await lookUpOr(method, lookUp, make) : await make() };
        } catch (error) {
          if (!(error instanceof HubFault)) throw error;
          return { fault: [error.faultCode, error.faultString] };
        }
      },
    );
    // An answer of nothing is not in the file.
    if ('fault' in ending) throw new HubFault(...ending.fault);
    return ending.answer;
  }

  async upload(
    chunk: UploadChunk,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<UploadedChunk> {
    return this.#session.upload(chunk, options);
  }

  async subsession(signal?: AbortSignal): Promise<HubSession> {
    return this.#session.subsession(signal);
  }

  async resumeSubsession(id: number): Promise<HubSession | null> {
    return this.#session.resumeSubsession(id);
  }

  async exclusiveSession(force: boolean, signal?: AbortSignal): Promise<void> {
    await this.#session.exclusiveSession(force, signal);
  }

  async logout(): Promise<void> {
    await this.#session.logout();
  }
}

/** Calls of a look-up ask how things are now, and are no steps of the task. */
const isLookingUp = new AsyncLocalStorage<boolean>();

function lookingUp<T>(work: () => Promise<T>): Promise<T> {
  return isLookingUp.run(true, work);
}

/** A look-up that finds no effect throws the reason it was given. */
async function lookUpOr<T>(
  method: string,
  lookUp: (reason: Error) => Promise<T>,
  make: () => Promise<T>,
): Promise<T> {
  const reason = new HubProtocolError(`the answer of ${method} was lost with the process that asked`);
  try {
    return await lookUp(reason);
  } catch (error) {
    if (error !== reason) throw error;
    return make();
  }
}

function toCallId(
  method: string,
  params: readonly RpcValue[],
  { keywords = {} }: { readonly keywords?: Readonly<Record<string, RpcValue>> },
): CallId {
  const digest = createHash('sha256').update(encodeCall(method, withKeywords(params, keywords)));
  return `call ${method} ${digest.digest('hex').slice(0, 16)}`;
}
