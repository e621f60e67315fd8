import type { z } from 'zod';
import { HubFault, isRetryFault } from '../../src/hub/faults.ts';
import { adler32, adler32Hex } from '../../src/hub/session/adler32.ts';
import type { CallOptions, HubSession, SessionState, UploadChunk } from '../../src/hub/session/session.ts';
import { parseAnswer } from '../../src/hub/session/session-info.ts';
import {
  encodeCall,
  encodeResponse,
  type RpcValue,
  splitKeywords,
  withKeywords,
} from '../../src/hub/xmlrpc/codec.ts';
import { decodeCall, decodeResponse } from '../../src/hub/xmlrpc/decode.ts';

/** One call as a hub would have read it. */
export interface ScriptedCall {
  readonly method: string;
  readonly params: readonly RpcValue[];
  readonly keywords: Readonly<Record<string, RpcValue>>;
}

/** What a call gets: a value, an error, or what a function makes of it. */
export type ScriptedAnswer = RpcValue | Error | ((call: ScriptedCall) => RpcValue | Promise<RpcValue>);

/** A fault of the hub, as an answer. */
export const hubFault = (code: number, text: string): HubFault => new HubFault(code, text);

/**
 * A session with a hub that lives in the test: values pass through the codec as they would on the wire, answers
 * through the caller's schema. A method's answers are used in the order they were given; the last one stays.
 * A method without an answer throws a fault that names it. Uploads are kept by path.
 */
export class ScriptedSession implements HubSession {
  readonly info = { id: 7, master: 1 };
  /** Null: a hub that does not tell in its answers. */
  hubVersion: string | null = '1.35.3';
  readonly calls: ScriptedCall[] = [];
  readonly uploads = new Map<string, Buffer>();
  readonly #answers = new Map<string, ScriptedAnswer[]>();

  constructor() {
    this.on('multiCall', async ({ params: [calls] }) => {
      const answers: RpcValue[] = [];
      for (const { methodName: method, params } of calls as { methodName: string; params: RpcValue[] }[]) {
        const call = { method, params, keywords: {} };
        this.calls.push(call);
        try {
          answers.push([await this.#answer(call)]);
        } catch (error) {
          if (!(error instanceof HubFault)) throw error;
          answers.push({ faultCode: error.faultCode, faultString: error.faultString, traceback: [] });
        }
      }
      return answers;
    });
    this.on('checkUpload', ({ params: [directory, name] }) => {
      const content = this.uploads.get(`${directory}/${name}`);
      return content === undefined ? null : { size: content.length, hexdigest: adler32Hex(adler32(content)) };
    });
  }

  /** Replaces the answers of a method. */
  on(method: string, ...answers: ScriptedAnswer[]): this {
    this.#answers.set(method, answers);
    return this;
  }

  /** The calls of one method, in order. */
  of(method: string): readonly ScriptedCall[] {
    return this.calls.filter((call) => call.method === method);
  }

  /** Names of the called methods in order, without those of uploads. */
  get methods(): readonly string[] {
    const ofUploads = ['multiCall', 'checkUpload'];
    return this.calls.map(({ method }) => method).filter((method) => !ofUploads.includes(method));
  }

  async call<T>(
    method: string,
    params: readonly RpcValue[],
    answer: z.ZodType<T>,
    options: CallOptions<T> = {},
  ): Promise<T> {
    options.signal?.throwIfAborted();
    const sent = decodeCall(encodeCall(method, withKeywords(params, options.keywords ?? {})));
    const call = { method, ...splitKeywords(sent.params) };
    this.calls.push(call);
    let value: RpcValue;
    try {
      value = decodeResponse(encodeResponse(await this.#answer(call)));
      options.signal?.throwIfAborted();
    } catch (error) {
      if (isRetryFault(error) && typeof options.retryError === 'function') return options.retryError(error);
      throw error;
    }
    return parseAnswer(method, answer, value);
  }

  async upload(
    { directory, name, offset, bytes }: UploadChunk,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ) {
    signal?.throwIfAborted();
    const path = `${directory}/${name}`;
    const before = this.uploads.get(path) ?? Buffer.alloc(0);
    this.uploads.set(path, Buffer.concat([before.subarray(0, offset), bytes]));
    return { problem: null, resent: false };
  }

  async subsession(): Promise<HubSession> {
    throw new Error('a scripted session has no subsessions');
  }

  async exclusiveSession(): Promise<void> {
    throw new Error('a scripted session has no lock');
  }

  async logout(): Promise<void> {
    this.calls.push({ method: 'logout', params: [], keywords: {} });
  }

  async resumeSubsession(): Promise<HubSession | null> {
    return null;
  }

  state(): SessionState {
    throw new Error('a scripted session has no state');
  }

  async #answer(call: ScriptedCall): Promise<RpcValue> {
    const answers = this.#answers.get(call.method) ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) throw hubFault(1000, `the test has no answer for ${call.method}`);
    if (answer instanceof Error) throw answer;
    return typeof answer === 'function' ? answer(call) : answer;
  }
}
