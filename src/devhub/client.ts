import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { encodeCall, type RpcValue, withKeywords } from '../hub/xmlrpc/codec.ts';
import { decodeResponse } from '../hub/xmlrpc/decode.ts';
import { taskState } from './rows.ts';

const SessionInfo = z.object({ 'session-id': z.int(), 'session-key': z.string() });

/** A session's identity and the number of its next call. */
export interface ClientSession {
  readonly id: number;
  readonly key: string;
  callnum: number;
}

const TaskInfo = z.looseObject({
  id: z.int(),
  method: z.string(),
  arch: z.string(),
  label: z.string().nullable(),
  state: z.int(),
  parent: z.int().nullable(),
});

/** A task as a client watches it. */
export interface WatchedTask {
  readonly id: number;
  readonly method: string;
  readonly arch: string;
  readonly label: string | null;
  /** Code of `taskState`. */
  readonly state: number;
  readonly children: readonly WatchedTask[];
}

export interface WatchOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  /** Told the whole tree, at first and whenever a state in it has changed or a task was added. */
  onChange(tree: WatchedTask): void;
}

const chunkBytes = 1024 * 1024;

/**
 * What a person does with a hub, for the demo and the tests: log in, upload, ask for builds, watch tasks. Works with
 * any hub. It never sends a request twice; errors of the connection go to the caller. Calls of one client must not
 * overlap, because their numbers have to arrive in order.
 */
export class HubClient {
  readonly url: string;
  session: ClientSession | undefined;

  constructor(url: string, session?: ClientSession) {
    this.url = url;
    this.session = session;
  }

  /** Calls a method. Throws HubFault when the hub refuses. */
  async call(
    method: string,
    params: readonly RpcValue[] = [],
    keywords: Record<string, RpcValue> = {},
  ): Promise<RpcValue> {
    const callnum = this.session?.callnum;
    if (this.session !== undefined) this.session.callnum += 1;
    return this.callNumbered(callnum, method, params, keywords);
  }

  /** Calls a method under a call number of the caller's choice; undefined sends none. */
  async callNumbered(
    callnum: number | undefined,
    method: string,
    params: readonly RpcValue[] = [],
    keywords: Record<string, RpcValue> = {},
  ): Promise<RpcValue> {
    const body = encodeCall(method, withKeywords(params, keywords));
    return this.#post(this.url, 'text/xml', body, callnum);
  }

  async login(user: string, password: string): Promise<void> {
    const info = SessionInfo.parse(await this.call('login', [user, password], { opts: null }));
    this.session = { id: info['session-id'], key: info['session-key'], callnum: 0 };
  }

  async logout(): Promise<void> {
    await this.call('logout');
    this.session = undefined;
  }

  /** Another client with a session below this one's. */
  async subsession(): Promise<HubClient> {
    const info = SessionInfo.parse(await this.call('subsession'));
    return new HubClient(this.url, { id: info['session-id'], key: info['session-key'], callnum: 0 });
  }

  /** Sends one chunk of a file; `query` is the upload's query string. */
  async uploadChunk(query: Readonly<Record<string, string>>, body: Uint8Array): Promise<RpcValue> {
    const callnum = this.session?.callnum;
    if (this.session !== undefined) this.session.callnum += 1;
    const url = `${this.url}?${new URLSearchParams(query)}`;
    return this.#post(url, 'application/octet-stream', body, callnum);
  }

  /** Uploads a local file into a directory below the hub's `work/`; gives its path there. */
  async uploadFile(path: string, directory: string, signal: AbortSignal): Promise<string> {
    const name = basename(path);
    await using file = await open(path);
    const { size } = await file.stat();
    const buffer = Buffer.alloc(chunkBytes);
    let offset = 0;
    do {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, offset);
      const chunk = buffer.subarray(0, bytesRead);
      const query = {
        filename: name,
        filepath: directory,
        fileverify: 'sha256',
        offset: String(offset),
        overwrite: '1',
      };
      const answer = UploadAnswer.parse(await this.uploadChunk(query, chunk));
      const digest = createHash('sha256').update(chunk).digest('hex');
      if (answer.size !== bytesRead || answer.hexdigest !== digest)
        throw new Error(`the hub received ${name} damaged at offset ${offset}; upload it again`);
      offset += bytesRead;
    } while (offset < size);
    return `${directory}/${name}`;
  }

  /** Uploads a source package and asks for its build; gives the task's id. */
  async buildSrpm(
    path: string,
    target: string,
    options: { readonly scratch: boolean },
    signal: AbortSignal,
  ): Promise<number> {
    // A directory belongs to the user who first writes into it, so each upload gets its own.
    const directory = `cli-build/${crypto.randomUUID()}`;
    const source = await this.uploadFile(path, directory, signal);
    return z
      .int()
      .parse(await this.call('build', [source, target, options.scratch ? { scratch: true } : {}]));
  }

  /** A task with all below it, in the order in which they were made; a hub gives them in any. */
  async taskTree(taskId: number): Promise<WatchedTask> {
    return this.#tree(TaskInfo.parse(await this.call('getTaskInfo', [taskId])));
  }

  /** Watches a task until it has ended; gives the last tree. Rejects with the signal's reason when it is aborted. */
  async watchTask(taskId: number, options: WatchOptions): Promise<WatchedTask> {
    let shown = '';
    for (;;) {
      const tree = await this.taskTree(taskId);
      const text = JSON.stringify(tree);
      if (text !== shown) options.onChange(tree);
      shown = text;
      if (ended.includes(tree.state)) return tree;
      await options.clock.sleep(options.intervalMs, options.signal);
    }
  }

  async #tree(info: z.output<typeof TaskInfo>): Promise<WatchedTask> {
    const children: WatchedTask[] = [];
    const found = z.array(TaskInfo).parse(await this.call('getTaskChildren', [info.id]));
    for (const child of found.toSorted((one, other) => one.id - other.id))
      children.push(await this.#tree(child));
    const { id, method, arch, label, state } = info;
    return { id, method, arch, label, state, children };
  }

  async #post(
    url: string,
    type: string,
    body: string | Uint8Array,
    callnum: number | undefined,
  ): Promise<RpcValue> {
    const headers: Record<string, string> = { 'Content-Type': type };
    if (this.session !== undefined) {
      headers['Koji-Session-Id'] = String(this.session.id);
      headers['Koji-Session-Key'] = this.session.key;
      if (callnum !== undefined) headers['Koji-Session-Callnum'] = String(callnum);
    }
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : Buffer.from(body),
    });
    if (!response.ok)
      throw new Error(`${this.url} answered HTTP ${response.status}: ${await response.text()}`);
    return decodeResponse(new Uint8Array(await response.arrayBuffer()));
  }
}

const UploadAnswer = z.object({ size: z.int(), hexdigest: z.string() });

const ended: readonly number[] = [taskState.CLOSED, taskState.CANCELED, taskState.FAILED];
