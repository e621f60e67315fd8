import { once } from 'node:events';
import http from 'node:http';

const info = {
  host: {
    arch: 'amd64',
    cgroupVersion: 'v2',
    cgroupControllers: ['cpu', 'memory', 'pids'],
    security: { rootless: false, seccompEnabled: false, seccompProfilePath: '' },
    ociRuntime: { name: 'crun' },
  },
  store: { graphDriverName: 'overlay', graphRoot: '/nonexistent', runRoot: '/nonexistent', graphOptions: {} },
  version: { Version: '5.4.0' },
};

/**
 * As much of podman's service as a daemon asks for while it starts, on a unix socket: images are there, or
 * their pull ends with `pullProblem`. It says that it is podman of this `version`.
 */
export class FakeEngine implements AsyncDisposable {
  readonly #server: http.Server;

  private constructor(server: http.Server) {
    this.#server = server;
  }

  static async listen(
    socketPath: string,
    images: readonly string[],
    pullProblem = 'manifest unknown',
    version = '5.4.0',
  ): Promise<FakeEngine> {
    const server = http.createServer((request, response) => {
      request.resume();
      const { pathname } = new URL(request.url ?? '/', 'http://engine');
      const image = /\/images\/(.+)\/json$/.exec(decodeURIComponent(pathname))?.[1];
      const answer = (status: number, body: object): void => {
        response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
      };
      if (pathname === '/_ping') response.writeHead(200, { 'Libpod-Api-Version': version }).end('OK');
      else if (pathname.endsWith('/libpod/info')) answer(200, info);
      else if (image !== undefined && images.includes(image)) {
        answer(200, { Id: 'a1', Digest: 'sha256:a1', Architecture: 'amd64' });
      } else if (image !== undefined) answer(404, { message: `${image}: image not known` });
      else if (pathname.endsWith('/images/pull')) answer(200, { error: pullProblem });
      else answer(500, { message: `nobody expected ${request.method} ${pathname}` });
    });
    server.listen(socketPath);
    await once(server, 'listening');
    return new FakeEngine(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
