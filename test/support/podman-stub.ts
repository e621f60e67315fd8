import { once } from 'node:events';
import http from 'node:http';

/**
 * As much of a podman service as a daemon asks at its start and between its tasks: that it is there, that it has
 * every image, and that it has no container. Anything else gets status 500.
 */
export class PodmanStub implements AsyncDisposable {
  readonly #server: http.Server;

  private constructor(server: http.Server) {
    this.#server = server;
  }

  /** Listens on the unix socket; `storageDir` is an existing directory. */
  static async start(socketPath: string, storageDir: string): Promise<PodmanStub> {
    const server = http.createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://podman');
      const body = answer(pathname, storageDir);
      response.writeHead(body === undefined ? 500 : 200, {
        'Content-Type': 'application/json',
        'Libpod-Api-Version': '5.0.0',
      });
      response.end(body ?? JSON.stringify({ message: `${pathname} is not part of the stub` }));
    });
    server.listen(socketPath);
    await once(server, 'listening');
    return new PodmanStub(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function answer(path: string, storageDir: string): string | undefined {
  if (path.endsWith('/_ping')) return 'OK';
  if (path.endsWith('/info')) {
    return JSON.stringify({
      host: {
        arch: 'amd64',
        cgroupVersion: 'v2',
        cgroupControllers: ['memory', 'pids'],
        security: { rootless: false, seccompEnabled: false },
      },
      store: { graphDriverName: 'overlay', graphRoot: storageDir },
      version: { Version: '5.0.0' },
    });
  }
  if (path.endsWith('/containers/json') || path.endsWith('/images/json')) return '[]';
  if (/\/images\/.*\/json$/.test(path))
    return JSON.stringify({ Id: 'image', Digest: 'sha256:0', Architecture: 'amd64' });
  return undefined;
}
