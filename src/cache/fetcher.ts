import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, get as httpsGet } from 'node:https';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../core/clock.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import { agentProxies, type Proxies } from '../core/host-proxies.ts';
import { explainDistrust } from '../core/host-trust.ts';
import { RepoOrigins } from './repo-origins.ts';
import { StallTimeout } from './stall-timeout.ts';

export interface OpenedUrl {
  /** Offset of the first byte that comes: what was asked for, or 0 where the server cannot begin there. */
  readonly from: number;
  /** To be read to its end. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** A URL could not be read; `passing` when another try may have more luck. */
export class UrlUnreachable extends BuilderError {
  readonly passing: boolean;

  constructor(url: string, why: string, passing: boolean, cause?: unknown) {
    super('url-unreachable', 'external', `cannot read ${url}: ${why}`, { cause });
    this.passing = passing;
  }
}

const longestChainOfRedirects = 5;
/** How long a server may say nothing, before its answer and within it. */
export const longestSilenceMs = 60_000;

/** Reads what URLs stand for. Connections are kept for the next request to the same server. */
export class Fetcher {
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  readonly #clock: Clock;

  /** Hosts that `proxies` does not name a proxy for are spoken to directly. */
  constructor(proxies: Proxies, clock: Clock) {
    const options = { keepAlive: true, proxyEnv: { ...agentProxies(proxies) } };
    this.#http = new HttpAgent(options);
    this.#https = new HttpsAgent(options);
    this.#clock = clock;
  }

  /**
   * The content behind a `file:`, `http:` or `https:` URL, from an offset on if the server can do that. Redirects are
   * followed as `origins` allow it, which are those of the URL where none are given. Rejects with `UrlUnreachable`, and the
   * body ends with an error when the connection breaks; both also when the server is silent for too long.
   */
  async open(
    url: string,
    {
      from = 0,
      origins = new RepoOrigins([url]),
      signal,
    }: { readonly from?: number; readonly origins?: RepoOrigins; readonly signal: AbortSignal },
  ): Promise<OpenedUrl> {
    if (url.startsWith('file:')) return openFile(url, from, signal);
    let target = url;
    for (let hops = 0; hops <= longestChainOfRedirects; hops += 1) {
      const silence = new StallTimeout(this.#clock, longestSilenceMs);
      const response = await this.#request(target, from, silence, signal);
      const { statusCode = 0, headers } = response;
      if (statusCode === 200) return { from: 0, body: heeding(response, silence, url) };
      if (statusCode === 206) return { from, body: heeding(response, silence, url) };
      response.resume();
      silence.over();
      // The file ends where we wanted to begin, or before: the caller looks at what is there.
      if (statusCode === 416 && from > 0) return this.open(url, { origins, signal });
      if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined) {
        const why = `the server answers ${statusCode} ${response.statusMessage ?? ''}`.trim();
        throw new UrlUnreachable(url, why, isPassing(statusCode));
      }
      if (!URL.canParse(headers.location, target))
        throw new UrlUnreachable(url, 'it redirects to what is no URL', false);
      const next = new URL(headers.location, target).href;
      const refusal = await origins.whyNotRedirected(target, next);
      if (refusal !== null) throw new UrlUnreachable(url, refusal, false);
      target = next;
    }
    throw new UrlUnreachable(url, 'too many redirects', false);
  }

  /** The whole content of a URL. Rejects as `open`, and when there are more than `most` bytes. */
  async read(
    url: string,
    {
      most,
      ...options
    }: { readonly most: number; readonly origins?: RepoOrigins; readonly signal: AbortSignal },
  ): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of (await this.open(url, options)).body) {
      bytes += chunk.byteLength;
      if (bytes > most) throw new UrlUnreachable(url, `it has more than ${most} bytes`, false);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  async #request(
    url: string,
    from: number,
    silence: StallTimeout,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    if (!/^https?:/.test(url))
      throw new UrlUnreachable(url, 'only file, http and https URLs can be read', false);
    if (!URL.canParse(url)) throw new UrlUnreachable(url, 'not a URL', false);
    const headers = from === 0 ? {} : { Range: `bytes=${from}-` };
    const either = AbortSignal.any([signal, silence.signal]);
    for (;;) {
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const request = url.startsWith('https:')
        ? httpsGet(url, { agent: this.#https, headers, signal: either }, resolve)
        : httpGet(url, { agent: this.#http, headers, signal: either }, resolve);
      request.on('error', reject);
      try {
        return await promise;
      } catch (error) {
        // The server has closed the kept connection just now: that says nothing about the next one.
        if (request.reusedSocket && !either.aborted) continue;
        silence.over();
        signal.throwIfAborted();
        const cause = silence.signal.aborted ? silence.signal.reason : explainDistrust(error);
        throw new UrlUnreachable(url, cause instanceof Error ? cause.message : String(cause), true, cause);
      }
    }
  }
}

/** The answers that a server may give otherwise after a while. */
function isPassing(statusCode: number): boolean {
  return statusCode >= 500 || statusCode === 408 || statusCode === 425 || statusCode === 429;
}

/** The body, which ends with an error when it breaks off or nothing comes for too long. */
async function* heeding(
  response: IncomingMessage,
  silence: StallTimeout,
  url: string,
): AsyncGenerator<Uint8Array, void> {
  try {
    silence.listen();
    for await (const chunk of response) {
      // While the reader is busy it is not the server that is silent.
      silence.pause();
      yield chunk;
      silence.listen();
    }
  } catch (error) {
    const cause = silence.signal.aborted ? silence.signal.reason : error;
    throw new UrlUnreachable(url, cause instanceof Error ? cause.message : String(cause), true, cause);
  } finally {
    silence.over();
  }
}

async function openFile(url: string, from: number, signal: AbortSignal): Promise<OpenedUrl> {
  const path = localPath(url);
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) throw new UrlUnreachable(url, 'there is no such file', false);
  const start = from < found.size ? from : 0;
  return { from: start, body: createReadStream(path, { start, signal }) };
}

function localPath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new UrlUnreachable(url, `it names no file of this host (${describeError(error)})`, false, error);
  }
}
