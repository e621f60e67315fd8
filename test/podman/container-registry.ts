import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Repositories of the registry and what it says to a pull of them. */
export type RegistryAnswer = 'image' | 'missing' | 'denied' | 'broken';

/** A container registry on the loopback with one image of one empty layer, enough of the protocol for a pull. */
export class TinyRegistry implements AsyncDisposable {
  readonly host: string;
  /** Manifests asked for, by repository. */
  readonly manifests: string[] = [];
  readonly #server: Server;

  static async open(answers: Readonly<Record<string, RegistryAnswer>>): Promise<TinyRegistry> {
    const layer = Buffer.alloc(1024);
    const config = json({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    });
    const manifest = json({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        size: config.length,
        digest: digestOf(config),
      },
      layers: [
        { mediaType: 'application/vnd.oci.image.layer.v1.tar', size: layer.length, digest: digestOf(layer) },
      ],
    });
    const blobs = new Map([layer, config].map((blob) => [digestOf(blob), blob]));
    const asked: string[] = [];
    const server = createServer((request, response) => {
      const [, repository = '', kind, name = ''] =
        /^\/v2\/([^/]+)\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
      const answer = answers[repository];
      const refuse = (status: number, code: string) =>
        response
          .writeHead(status, { 'content-type': 'application/json' })
          .end(json({ errors: [{ code, message: code }] }));
      if (request.url === '/v2/') response.writeHead(200).end('{}');
      else if (answer === 'denied') refuse(403, 'DENIED');
      else if (answer === 'broken') refuse(503, 'UNAVAILABLE');
      else if (kind === 'blobs' && blobs.has(name)) response.writeHead(200).end(blobs.get(name));
      else if (kind === 'manifests' && answer === 'image') {
        if (request.method === 'GET') asked.push(repository);
        const type = 'application/vnd.oci.image.manifest.v1+json';
        response
          .writeHead(200, { 'content-type': type, 'docker-content-digest': digestOf(manifest) })
          .end(manifest);
      } else refuse(404, 'MANIFEST_UNKNOWN');
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    return new TinyRegistry(server, asked);
  }

  private constructor(server: Server, manifests: string[]) {
    this.#server = server;
    this.manifests = manifests;
    // A listening TCP server has this kind of address; the others are for pipes and closed servers.
    const { port } = server.address() as AddressInfo;
    this.host = `127.0.0.1:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
