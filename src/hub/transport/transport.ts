import http from 'node:http';
import https from 'node:https';
import { agentProxies, type Proxies } from '../../core/host-proxies.ts';
import { explainDistrust } from '../../core/host-trust.ts';
import { HubTransportError, type TransportReason } from '../faults.ts';
import { maxDocumentLength } from '../xmlrpc/codec.ts';
import type { TlsMaterial } from './tls.ts';

export interface TransportOptions {
  /** The hub's address, kojid's `server`: `https://koji.example.com/kojihub`. */
  readonly server: string;
  /** Talk https even if `server` says http, as a login by certificate does (`ClientSession.ssl_login`). */
  readonly secure: boolean;
  readonly tls: TlsMaterial;
  /** Left out: the hub is spoken to directly. */
  readonly proxies?: Proxies;
  /** How long a connection may stay silent before a request is given up; kojid's `timeout`, 12 hours. */
  readonly timeoutMs: number;
  /** Longer answers are given up; the codec's limit when left out. */
  readonly maxAnswerBytes?: number;
}

export interface HubRequest {
  readonly path: '' | '/ssllogin';
  /** Query string without `?`; it may hold a session key and is never shown. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Instead of the transport's own timeout. */
  readonly timeoutMs?: number;
}

export interface HubAnswer {
  readonly body: Buffer;
  /** What the hub says its version is; hubs before 1.35 do not. */
  readonly hubVersion: string | null;
  /** The hub's clock by its `Date` header, in milliseconds since the epoch, to the second. */
  readonly dateMs: number | null;
}

/** Brings one request to the hub and its answer back; knows nothing of sessions, methods or retries. */
export interface HubTransport {
  /** The hub's address for messages, without query, user or password. */
  readonly url: string;
  /**
   * Sends one POST. Throws HubTransportError for everything but a complete answer with HTTP status 200,
   * and `signal.reason` when aborted. Safe for concurrent use.
   */
  post(request: HubRequest, signal?: AbortSignal): Promise<HubAnswer>;
  /** Gives up all idle connections, so that the next request uses a new one. */
  dropConnections(): void;
}

const keepAliveProbeMs = 30_000;

/** Opens no connection yet. Throws HubTransportError `unreachable` when `server` is no http(s) address. */
export function createTransport(options: TransportOptions): HubTransport {
  const base = parseServer(options);
  const url = `${base.protocol}//${base.host}${base.pathname}`;
  const { clientPem, serverCaPem, skipVerify } = options.tls;
  const secure = base.protocol === 'https:';
  const tlsOptions = {
    ...(clientPem !== null && { cert: clientPem, key: clientPem }),
    ...(serverCaPem !== null && { ca: serverCaPem }),
    rejectUnauthorized: !skipVerify,
  };
  const proxyEnv = { ...agentProxies(options.proxies ?? {}) };
  const agent = secure
    ? new https.Agent({ keepAlive: true, proxyEnv, ...tlsOptions })
    : new http.Agent({ keepAlive: true, proxyEnv });

  function post(request: HubRequest, signal?: AbortSignal): Promise<HubAnswer> {
    signal?.throwIfAborted();
    const target = new URL(base);
    target.pathname += request.path;
    target.search = request.query;
    const { promise, resolve, reject } = Promise.withResolvers<HubAnswer>();
    const timeoutMs = request.timeoutMs ?? options.timeoutMs;
    const outgoing = (secure ? https : http).request(target, {
      method: 'POST',
      agent,
      timeout: timeoutMs,
      headers: {
        ...request.headers,
        'User-Agent': 'koji/1',
        // Without it node would send chunks, which mod_wsgi refuses with 411.
        'Content-Length': String(request.body.byteLength),
      },
      ...(signal !== undefined && { signal }),
    });
    // A hub that vanished without closing its connections is noticed long before the timeout.
    outgoing.on('socket', (socket) => socket.setKeepAlive(true, keepAliveProbeMs));
    outgoing.on('timeout', () => {
      outgoing.destroy(
        new HubTransportError(
          'timeout',
          `no answer from ${url} for ${timeoutMs / 1000} seconds (option "timeout")`,
        ),
      );
    });
    const fail = (error: unknown): void =>
      reject(signal?.aborted ? signal.reason : toTransportError(error, url));
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      readAnswer(incoming, url, options.maxAnswerBytes ?? maxDocumentLength).then(
        resolve,
        (error: unknown) => {
          outgoing.destroy();
          fail(error);
        },
      );
    });
    outgoing.end(request.body);
    return promise;
  }

  function dropConnections(): void {
    for (const sockets of Object.values(agent.freeSockets))
      for (const socket of sockets ?? []) socket.destroy();
  }

  return { url, post, dropConnections };
}

function parseServer(options: TransportOptions): URL {
  const base = URL.canParse(options.server) ? new URL(options.server) : null;
  if (base === null || (base.protocol !== 'http:' && base.protocol !== 'https:'))
    throw new HubTransportError(
      'unreachable',
      `"${options.server}" (option "server") is not an address such as https://koji.example.com/kojihub`,
    );
  base.pathname = base.pathname.replace(/\/+$/, '');
  if (options.secure) base.protocol = 'https:';
  return base;
}

async function readAnswer(incoming: http.IncomingMessage, url: string, maxBytes: number): Promise<HubAnswer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    // An IncomingMessage without an encoding yields Buffers; its type says any.
    chunks.push(chunk as Buffer);
    length += chunks.at(-1)?.byteLength ?? 0;
    if (length > maxBytes)
      throw new HubTransportError('too-large', `${url} answered with more than ${maxBytes} bytes`);
  }
  const body = Buffer.concat(chunks);
  const status = incoming.statusCode ?? 0;
  const { location, date, 'koji-version': version } = incoming.headers;
  if (status !== 200) throw statusError({ status, text: incoming.statusMessage ?? '', location, body, url });
  return answerOf(body, typeof version === 'string' ? version : undefined, date);
}

/** The hub's answer, from its body and the headers `Koji-Version` and `Date`. */
export function answerOf(body: Buffer, version: string | undefined, date: string | undefined): HubAnswer {
  const dateMs = Date.parse(date ?? '');
  return { body, hubVersion: version ?? null, dateMs: Number.isNaN(dateMs) ? null : dateMs };
}

const hints: Readonly<Record<number, string>> = {
  400: 'the request was too large or broken',
  403: 'the web server forbids it; check its access rules for this host',
  404: 'check the path in option "server"',
  405: 'this is not an XML-RPC address; check option "server"',
};

/** What an answer with another HTTP status than 200 says about the web server. `text` is the status in words. */
export function statusError(answer: {
  readonly status: number;
  readonly text: string;
  readonly location: string | undefined;
  readonly body: Buffer;
  readonly url: string;
}): HubTransportError {
  const { status, text, location, body, url } = answer;
  const hint = hints[status] ?? (status >= 500 ? 'the hub or a proxy before it is in trouble' : undefined);
  const parts = [
    `${url} answered with HTTP status ${status} ${text}`.trimEnd(),
    location === undefined ? hint : `it points to ${location.split('?', 1)[0]}; check option "server"`,
    body.byteLength > 0 ? `the answer begins: ${body.toString('utf8', 0, 200).trim()}` : undefined,
  ];
  return new HubTransportError('status', parts.filter((part) => part !== undefined).join('; '), { status });
}

const unreachable = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
]);

function toTransportError(error: unknown, url: string): HubTransportError {
  if (error instanceof HubTransportError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  explainDistrust(error);
  const text = error instanceof AggregateError ? error.errors.map(String).join(', ') : String(error);
  const reason: TransportReason = isCertificateProblem(code, text)
    ? 'tls'
    : unreachable.has(code)
      ? 'unreachable'
      : code === 'ETIMEDOUT'
        ? 'timeout'
        : 'dropped';
  return new HubTransportError(reason, `${prefixes[reason]} ${url}: ${text}${advice[reason] ?? ''}`, {
    cause: error,
  });
}

const prefixes: Readonly<Record<string, string>> = {
  tls: 'no trusted connection to',
  unreachable: 'cannot reach',
  timeout: 'no connection to',
  dropped: 'the connection broke to',
};

const advice: Readonly<Record<string, string>> = {
  tls: ' (check options "serverca" and "cert", the trust store where serverca is not set, and whether the certificates are still valid)',
  unreachable: ' (check option "server", the network and the hub)',
};

/** Problems that stay until a certificate is changed; other TLS errors can be passing ones. */
function isCertificateProblem(code: string, text: string): boolean {
  return (
    /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|INVALID_CA|HOSTNAME_MISMATCH)/.test(code) ||
    /^ERR_(OSSL|SSL)_.*(CERTIFICATE|UNKNOWN_CA|WRONG_VERSION_NUMBER|PACKET_LENGTH|KEY_VALUES)/.test(code) ||
    /alert (bad|unsupported|unknown|certificate)/.test(text)
  );
}
