import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { agentProxies, type Proxies } from './host-proxies.ts';

const mostRedirects = 5;
/** How long a connection may be silent. */
const silentMs = 300_000;

/**
 * Asks for URLs by the host's proxies as curl does: `fetch` of Node.js has a proxy make a tunnel also for http, which many
 * proxies forbid.
 */
export class HttpClient {
  readonly #http: http.Agent;
  readonly #https: https.Agent;

  /** Hosts that `proxies` does not name a proxy for are spoken to directly. */
  constructor(proxies: Proxies) {
    const options = { proxyEnv: { ...agentProxies(proxies) } };
    this.#http = new http.Agent(options);
    this.#https = new https.Agent(options);
  }

  /**
   * The answer of an http or https URL, whatever its status; redirects are followed. It has to be read or destroyed. Rejects when
   * there is none, with the signal's reason when that is aborted, and its body ends with an error when it breaks off.
   */
  async ask(url: string, method: 'GET' | 'HEAD', signal: AbortSignal): Promise<IncomingMessage> {
    let target = url;
    for (let hops = 0; ; hops += 1) {
      const answer = await this.#askOnce(target, method, signal);
      const { location } = answer.headers;
      if (![301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) || location === undefined)
        return answer;
      answer.destroy();
      if (hops === mostRedirects) throw new Error('too many redirects');
      target = new URL(location, target).href;
    }
  }

  async #askOnce(url: string, method: 'GET' | 'HEAD', signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const { protocol } = new URL(url);
    if (protocol !== 'http:' && protocol !== 'https:') throw new Error(`${url} is not an http or https URL`);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const options = { method, signal, timeout: silentMs };
    const request =
      protocol === 'https:'
        ? https.request(url, { ...options, agent: this.#https }, resolve)
        : http.request(url, { ...options, agent: this.#http }, resolve);
    request.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    request.on('timeout', () => request.destroy(new Error(`nothing came for ${silentMs / 1000} s`)));
    request.end();
    return promise;
  }
}
