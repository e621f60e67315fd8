import type { z } from 'zod';
import { BuilderError } from '../../core/errors.ts';
import { encodeCall, type RpcValue, withKeywords } from '../xmlrpc/codec.ts';
import { type RetrySettings, sendWithRetries } from './retry.ts';
import type { CallOptions, HubSession, SessionState } from './session.ts';
import { parseAnswer } from './session-info.ts';

/**
 * Calls without a login, of the given methods only: any other is refused before
 * anything is sent. For tools that look at a hub and must leave no trace on it.
 */
export class AnonymousSession implements HubSession {
  /** The hub knows no such session. */
  readonly info = { id: 0, master: null };
  readonly #settings: RetrySettings;
  readonly #methods: ReadonlySet<string>;
  #hubVersion: string | null = null;

  constructor(settings: RetrySettings, methods: ReadonlySet<string>) {
    this.#settings = settings;
    this.#methods = methods;
  }

  get hubVersion(): string | null {
    return this.#hubVersion;
  }

  async call<T>(
    method: string,
    params: readonly RpcValue[],
    answer: z.ZodType<T>,
    { signal, keywords = {} }: CallOptions<T> = {},
  ): Promise<T> {
    if (!this.#methods.has(method)) throw refused(method);
    const request = {
      path: '',
      query: '',
      headers: { 'Content-Type': 'text/xml' },
      body: Buffer.from(encodeCall(method, withKeywords(params, keywords))),
    } as const;
    const sent = await sendWithRetries(this.#settings, { method, request, once: false }, signal);
    if ('error' in sent) throw sent.error;
    this.#hubVersion = sent.hubVersion ?? this.#hubVersion;
    return parseAnswer(method, answer, sent.value);
  }

  upload(): Promise<never> {
    return Promise.reject(refused('rawUpload'));
  }

  subsession(): Promise<never> {
    return Promise.reject(refused('subsession'));
  }

  exclusiveSession(): Promise<never> {
    return Promise.reject(refused('exclusiveSession'));
  }

  /** There is nothing to close. */
  async logout(): Promise<void> {
    await Promise.resolve();
  }

  async resumeSubsession(): Promise<HubSession | null> {
    return null;
  }

  state(): SessionState {
    throw refused('state');
  }
}

function refused(method: string): BuilderError {
  return new BuilderError('anonymous-session', 'builder', `${method} is not for a session without a login`);
}
