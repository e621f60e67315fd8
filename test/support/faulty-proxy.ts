import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeFault, type RpcValue, splitKeywords } from '../../src/hub/xmlrpc/codec.ts';
import { decodeCall } from '../../src/hub/xmlrpc/decode.ts';

/** What can happen to a call on its way; in the order of how far it gets. */
export const mishaps = [
  /** The connection breaks before the hub gets the request. */
  'lost-request',
  /** A web server in front of the hub answers instead of it. */
  'server-error',
  /** Somebody's page, with status 200, instead of the hub's answer. */
  'html-page',
  /** The hub says that it is offline (1014). */
  'offline',
  /** The hub carries the request out, and the connection breaks before the answer. */
  'lost-reply',
  /** Half of the answer arrives. */
  'cut-reply',
  /** A web server loses patience while the hub carries the request out. */
  'gateway-timeout',
] as const;
export type Mishap = (typeof mishaps)[number];

/** Those after which the hub has carried the request out. */
export const carriedOut: ReadonlySet<Mishap> = new Set(['lost-reply', 'cut-reply', 'gateway-timeout']);

/** A call that passes. */
export interface PassingCall {
  readonly method: string;
  readonly params: readonly RpcValue[];
  readonly keywords: Readonly<Record<string, RpcValue>>;
  /** Name of the file of an upload. */
  readonly file: string | null;
}

/** What a proxy does with calls. Both may wait; nothing passes meanwhile on this connection. */
export interface ProxyRules {
  /** Called with each call before it reaches the hub. */
  onRequest(call: PassingCall): Mishap | null | Promise<Mishap | null>;
  /** Called when the hub has answered and the caller does not know it yet. */
  onReply?(call: PassingCall): void | Promise<void>;
  /** Leaves out the numbers of calls, as if for a hub that does not compare them (up to 1.35). */
  readonly withoutCallNumbers?: boolean;
}

/** A proxy on the loopback interface before a hub, in which calls meet with mishaps. Files of the hub pass as they are. */
export class FaultyProxy implements AsyncDisposable {
  readonly #hub: URL;
  readonly #rules: ProxyRules;
  readonly #server: http.Server;
  /** Connections to the hub are kept: a new one for each call would leave many ports behind. */
  readonly #agent = new http.Agent({ keepAlive: true });

  private constructor(hubUrl: string, rules: ProxyRules) {
    this.#hub = new URL(hubUrl);
    this.#rules = rules;
    this.#server = http.createServer((request, response) => {
      // A caller that went away, and a hub that did, look the same to the other side: the connection ends.
      this.#pass(request, response).catch(() => response.destroy());
    });
  }

  static async open(hubUrl: string, rules: ProxyRules): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(hubUrl, rules);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The hub's address for those whose calls are to go this way. */
  get url(): string {
    // A server that listens on TCP has an address of this form.
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}${this.#hub.pathname}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
    await once(this.#server, 'close');
  }

  async #pass(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = await readAll(request);
    const call = toCall(request, body);
    const mishap = await this.#rules.onRequest(call);
    if (mishap !== null && !carriedOut.has(mishap)) return instead(mishap, response);
    const answer = await this.#forward(request, body);
    await this.#rules.onReply?.(call);
    if (mishap === null) response.writeHead(answer.status, answer.headers).end(answer.body);
    else if (mishap === 'lost-reply') response.destroy();
    else if (mishap === 'gateway-timeout') response.writeHead(504).end('<html>Gateway Timeout</html>');
    else {
      response.writeHead(answer.status, answer.headers);
      response.write(answer.body.subarray(0, answer.body.length / 2), () => response.destroy());
    }
  }

  async #forward(request: http.IncomingMessage, body: Buffer) {
    const url = new URL(request.url ?? '/', this.#hub);
    const { 'koji-session-callnum': callnum, ...others } = request.headers;
    const unnumbered = callnum === undefined || this.#rules.withoutCallNumbers === true;
    const headers = {
      ...others,
      ...(!unnumbered && { 'koji-session-callnum': callnum }),
      host: this.#hub.host,
    };
    const forwarded = http.request(url, { method: request.method, headers, agent: this.#agent }).end(body);
    // What once() gives for this event.
    const [answer] = (await once(forwarded, 'response')) as [http.IncomingMessage];
    return { status: answer.statusCode ?? 502, headers: answer.headers, body: await readAll(answer) };
  }
}

async function readAll(message: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // A message without an encoding yields buffers.
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function toCall(request: http.IncomingMessage, body: Buffer): PassingCall {
  if (request.headers['content-type'] === 'application/octet-stream') {
    const { searchParams } = new URL(request.url ?? '/', 'http://hub');
    return { method: 'rawUpload', params: [], keywords: {}, file: searchParams.get('filename') };
  }
  const { method, params } = decodeCall(body);
  return { method, ...splitKeywords(params), file: null };
}

/** What the caller gets when the hub hears nothing. */
function instead(mishap: Mishap, response: http.ServerResponse): void {
  if (mishap === 'lost-request') response.destroy();
  else if (mishap === 'server-error') response.writeHead(500).end('<html>Internal Server Error</html>');
  else if (mishap === 'html-page')
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>Please log in</html>');
  else response.writeHead(200, { 'Content-Type': 'text/xml' }).end(encodeFault(1014, 'the hub is offline'));
}
