import type { z } from 'zod';
import type { TaskWaits } from '../../core/waits.ts';
import type { RpcValue } from '../xmlrpc/codec.ts';
import type { CallOptions, HubSession, SessionState, UploadChunk, UploadedChunk } from './session.ts';

/** A session that says which answer of the hub is being waited for. */
export class WatchedSession implements HubSession {
  readonly #session: HubSession;
  readonly #waits: TaskWaits;

  constructor(session: HubSession, waits: TaskWaits) {
    this.#session = session;
    this.#waits = waits;
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

  call<T>(
    method: string,
    params: readonly RpcValue[],
    answer: z.ZodType<T>,
    options?: CallOptions<T>,
  ): Promise<T> {
    return this.#waits.during(`the hub's answer to ${method}`, () =>
      this.#session.call(method, params, answer, options),
    );
  }

  upload(
    chunk: UploadChunk,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<UploadedChunk> {
    return this.#waits.during(`the hub to take ${chunk.name} from byte ${chunk.offset} on`, () =>
      this.#session.upload(chunk, options),
    );
  }

  subsession(signal?: AbortSignal): Promise<HubSession> {
    return this.#session.subsession(signal);
  }

  resumeSubsession(id: number): Promise<HubSession | null> {
    return this.#session.resumeSubsession(id);
  }

  exclusiveSession(force: boolean, signal?: AbortSignal): Promise<void> {
    return this.#session.exclusiveSession(force, signal);
  }

  logout(): Promise<void> {
    return this.#waits.during('the hub to close the session', () => this.#session.logout());
  }
}
