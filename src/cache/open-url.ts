import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, get as httpsGet } from 'node:https';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { BuilderError } from '../core/errors.ts';

export interface OpenedUrl {
  /** Offset of the first byte that comes: what was asked for, or 0 where the server cannot begin there. */
  readonly from: number;
  readonly body: Readable;
}

const longestChainOfRedirects = 5;

/**
 * The content behind a `file:`, `http:` or `https:` URL, from an offset on if the server can do that. Redirects are
 * followed. Rejects with a `BuilderError` that names the URL, and the body ends with an error when the connection breaks.
 */
export async function openUrl(
  url: string,
  options: { readonly from?: number; readonly proxy: string | null; readonly signal: AbortSignal },
): Promise<OpenedUrl> {
  const { from = 0, proxy, signal } = options;
  if (url.startsWith('file:')) return openFile(url, from, signal);
  let target = url;
  for (let hops = 0; hops <= longestChainOfRedirects; hops += 1) {
    const response = await request(target, from, proxy, signal);
    const { statusCode = 0, headers } = response;
    if (statusCode === 200) return { from: 0, body: response };
    if (statusCode === 206) return { from, body: response };
    response.resume();
    // The file ends where we wanted to begin, or before: whoever asked looks at what is there.
    if (statusCode === 416) return openUrl(url, { proxy, signal });
    if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined) {
      throw unreachable(url, `the server answers ${statusCode} ${response.statusMessage ?? ''}`.trim());
    }
    target = new URL(headers.location, target).href;
  }
  throw unreachable(url, 'too many redirects');
}

async function openFile(url: string, from: number, signal: AbortSignal): Promise<OpenedUrl> {
  const path = fileURLToPath(url);
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) throw unreachable(url, 'there is no such file');
  const start = from < found.size ? from : 0;
  return { from: start, body: createReadStream(path, { start, signal }) };
}

async function request(
  url: string,
  from: number,
  proxy: string | null,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  if (!/^https?:/.test(url)) throw unreachable(url, 'only file, http and https URLs can be read');
  const isSecure = url.startsWith('https:');
  const environment = proxy === null ? {} : { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } };
  const agent = isSecure ? new HttpsAgent(environment) : new HttpAgent(environment);
  const headers = from === 0 ? {} : { Range: `bytes=${from}-` };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const get = isSecure ? httpsGet : httpGet;
  get(url, { agent, headers, signal }, resolve).on('error', reject);
  try {
    return await promise;
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(url, error instanceof Error ? error.message : String(error), error);
  }
}

function unreachable(url: string, why: string, cause?: unknown): BuilderError {
  return new BuilderError('url-unreachable', 'external', `cannot read ${url}: ${why}`, { cause });
}
