import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** What a request gets: the content, in part if it asks for a range, or whatever a function does. */
export type ServedFile =
  | string
  | ((response: ServerResponse, request: IncomingMessage) => void | Promise<void>);

/** A request as the server got it. */
export interface ServedRequest {
  readonly url: string;
  readonly range: string | null;
}

/**
 * A real HTTP server on the loopback interface with these files by path; others are 404. Several for one path are
 * used in order, the last one stays. It goes when the test ends.
 */
export async function openFileServer(files: Readonly<Record<string, ServedFile | readonly ServedFile[]>>) {
  const left = new Map(
    Object.entries(files).map(([path, file]) => [path, Array.isArray(file) ? [...file] : [file]]),
  );
  const requests: ServedRequest[] = [];
  const server = createServer((request, response) => {
    const { url = '' } = request;
    requests.push({ url, range: request.headers.range ?? null });
    const answers = left.get(url) ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) response.writeHead(404).end('not here');
    else if (typeof answer === 'string') serve(answer, request, response);
    else void answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }; // it listens on a port
}

/** Announces all of the content and breaks the connection after the first `bytes` of it. */
export function brokenAfter(content: string, bytes: number): ServedFile {
  return (response) => {
    response.writeHead(200, { 'Content-Length': content.length });
    // Not destroyed: a reset may overtake the bytes.
    response.write(content.slice(0, bytes), () => response.socket?.end());
  };
}

/** The whole content, whatever is asked for. */
export function withoutRange(content: string): ServedFile {
  return (response) => void response.writeHead(200, { 'Content-Length': content.length }).end(content);
}

function serve(content: string, request: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? -1);
  if (from >= content.length) response.writeHead(416).end();
  else if (from >= 0) {
    const end = content.length - 1;
    response.writeHead(206, { 'Content-Range': `bytes ${from}-${end}/${content.length}` });
    response.end(content.slice(from));
  } else response.writeHead(200).end(content);
}
