import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BuilderError, describeError } from '../core/errors.ts';

/** What the server shows. */
export interface StatusPages {
  /** `/metrics`, in Prometheus' text format. */
  metrics(): Promise<string>;
  /** `/healthz`: why the daemon is not well, or null. */
  whyNotWell(): string | null;
}

/** A small HTTP server for monitoring. It shows; nothing can be changed through it. */
export class StatusServer implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens. Throws a `BuilderError` of code `monitoring-unusable` when that is not possible. */
  static async listen(
    bind: { readonly host: string; readonly port: number },
    shown: StatusPages,
  ): Promise<StatusServer> {
    const server = createServer((request, response) => {
      void answer(shown, request.method ?? '', (request.url ?? '').replace(/\?.*/, ''), response);
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(bind.port, bind.host, resolve);
    try {
      await promise;
    } catch (error) {
      const remedy = 'correct monitoring_bind, or set monitoring_enabled to no';
      throw new BuilderError(
        'monitoring-unusable',
        'builder',
        `cannot listen on ${bind.host}:${bind.port} (${describeError(error)}): ${remedy}`,
        { cause: error },
      );
    }
    return new StatusServer(server);
  }

  /** Where it listens. */
  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo; // it listens on a port
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    this.#server.closeAllConnections();
    await closed.promise;
  }
}

async function answer(
  shown: StatusPages,
  method: string,
  path: string,
  response: ServerResponse,
): Promise<void> {
  const text = (status: number, body: string, type = 'text/plain; charset=utf-8') =>
    response.writeHead(status, { 'Content-Type': type }).end(method === 'HEAD' ? '' : body);
  if (method !== 'GET' && method !== 'HEAD') return void text(405, 'only GET\n');
  try {
    if (path === '/metrics') {
      return void text(200, await shown.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
    }
    if (path === '/healthz') {
      const why = shown.whyNotWell();
      return void text(why === null ? 200 : 503, `${why ?? 'ok'}\n`);
    }
    text(404, 'here are /metrics and /healthz\n');
  } catch (error) {
    text(500, `${describeError(error)}\n`);
  }
}
