import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';

/** The body of an engine's create call, as far as protections are taken out of it. */
export type CreateBody = Record<string, unknown>;

const Body = z.looseObject({ labels: z.record(z.string(), z.string()) });

/**
 * Stands between a runtime and its engine and takes protections away from containers that run a build, which nothing in
 * the product can do: by that an attack shows that it would work.
 */
export class UnsealingProxy implements AsyncDisposable {
  readonly socketPath: string;
  readonly #server: Server;

  static async open(directory: string, enginePath: string, unseal: (body: CreateBody) => CreateBody) {
    const proxy = new UnsealingProxy(join(directory, 'unsealing.sock'), enginePath, unseal);
    proxy.#server.listen(proxy.socketPath);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(socketPath: string, enginePath: string, unseal: (body: CreateBody) => CreateBody) {
    this.socketPath = socketPath;
    this.#server = createServer((incoming, outgoing) => {
      const forward = async () => {
        const body = changed(incoming, await buffer(incoming), unseal);
        const headers = { ...incoming.headers, 'content-length': String(body.length) };
        const options = { socketPath: enginePath, method: incoming.method, path: incoming.url, headers };
        const asked = request(options, (answer) => {
          outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(outgoing);
        });
        asked.on('error', () => outgoing.destroy());
        asked.end(body);
      };
      forward().catch(() => outgoing.destroy());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function changed(
  { method, url = '' }: IncomingMessage,
  bytes: Buffer,
  unseal: (body: CreateBody) => CreateBody,
): Buffer {
  if (method !== 'POST' || !url.includes('/containers/create')) return bytes;
  const body = Body.parse(JSON.parse(bytes.toString()));
  const isBuild = body.labels['io.koji.adjutant.phase'] === 'build';
  // A number beyond those of this language (an unlimited ulimit) would not survive, so what is not touched stays text.
  if (!isBuild) return bytes;
  return Buffer.from(JSON.stringify(unseal(body)));
}
