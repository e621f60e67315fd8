import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeFault, encodeResponse, type RpcValue, splitKeywords } from '../../src/hub/xmlrpc/codec.ts';
import { decodeCall } from '../../src/hub/xmlrpc/decode.ts';

/** One request as the fake hub saw it. */
export interface SeenCall {
  readonly method: string;
  readonly params: readonly RpcValue[];
  readonly keywords: Readonly<Record<string, RpcValue>>;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  /** From the headers or the URL, whichever the client used; null without a session. */
  readonly session: { readonly id: number; readonly key: string; readonly callnum: number } | null;
  readonly body: Buffer;
}

/** What the hub does with a call: a value, a fault, something else than XML-RPC, or no answer. */
export type Reply =
  | { readonly value: RpcValue }
  | { readonly fault: readonly [code: number, message: string] }
  | { readonly status: number; readonly body: string; readonly headers?: Record<string, string> }
  /** The connection is cut instead of an answer. */
  | 'drop'
  | 'hang';

export type Handler = (call: SeenCall) => Reply | Promise<Reply>;

export const value = (result: RpcValue): Reply => ({ value: result });
export const fault = (code: number, message: string): Reply => ({ fault: [code, message] });

/**
 * A hub over real HTTP and real XML-RPC whose answers the test chooses. A method's replies are used in the
 * order they were given; the last one stays. Anything unexpected answers with a fault.
 */
export class FakeHub implements AsyncDisposable {
  readonly seen: SeenCall[] = [];
  /** How many calls were being answered at the same time, at most. */
  mostAtOnce = 0;
  readonly #handlers = new Map<string, Handler[]>();
  readonly #server: http.Server;
  #atOnce = 0;

  private constructor(server: http.Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeHub> {
    const server = http.createServer();
    const hub = new FakeHub(server);
    server.on('request', (request, response) => {
      hub.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    hub.on('login', value({ 'session-id': 7, 'session-key': 'key-1', 'header-auth': true }));
    hub.on('rawUpload', () => fault(1000, 'no upload expected'));
    return hub;
  }

  get url(): string {
    // A listening TCP server has this kind of address.
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/kojihub`;
  }

  /** Replaces the replies of a method. */
  on(method: string, ...replies: (Reply | Handler)[]): this {
    this.#handlers.set(
      method,
      replies.map((reply) => (typeof reply === 'function' ? reply : () => reply)),
    );
    return this;
  }

  /** Method and call number of all calls seen within a session. */
  get numbered(): readonly string[] {
    return this.seen.flatMap(({ method, session }) =>
      session === null ? [] : [`${session.callnum} ${method}`],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    this.#atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const call = toCall(request, Buffer.concat(chunks));
      this.seen.push(call);
      const handlers = this.#handlers.get(call.method) ?? [];
      const handler = handlers.length > 1 ? handlers.shift() : handlers[0];
      send(await (handler ?? (() => fault(1000, `Invalid method: ${call.method}`)))(call), response);
    } finally {
      this.#atOnce -= 1;
    }
  }
}

function toCall(request: http.IncomingMessage, body: Buffer): SeenCall {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://hub');
  const isUpload = request.headers['content-type'] === 'application/octet-stream';
  const { method, params } = isUpload ? { method: 'rawUpload', params: [] } : decodeCall(body);
  const { headers } = request;
  const id = headers['koji-session-id'] ?? searchParams.get('session-id');
  const key = headers['koji-session-key'] ?? searchParams.get('session-key');
  const callnum = headers['koji-session-callnum'] ?? searchParams.get('callnum');
  return {
    method,
    ...splitKeywords(params),
    path: pathname,
    query: searchParams,
    headers,
    session: id === null ? null : { id: Number(id), key: String(key), callnum: Number(callnum) },
    body,
  };
}

function send(reply: Reply, response: http.ServerResponse): void {
  if (reply === 'hang') return;
  if (reply === 'drop') response.destroy();
  else if ('status' in reply) response.writeHead(reply.status, reply.headers).end(reply.body);
  else {
    const xml = 'fault' in reply ? encodeFault(...reply.fault) : encodeResponse(reply.value);
    response.writeHead(200, { 'Content-Type': 'text/xml', 'Koji-Version': '1.35.3' }).end(xml);
  }
}
