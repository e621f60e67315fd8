import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A proxy for http on the loopback interface that notes which URLs it was asked for. */
export async function openHttpProxy() {
  const urls: string[] = [];
  const server = createServer((request, response) => {
    const { url = '', method, headers } = request;
    urls.push(url);
    const onward = httpRequest(url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return {
    url: `http://127.0.0.1:${port}`,
    urls,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
