import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Dispatcher } from './dispatch.ts';
import { BadRequest } from './faults.ts';
import type { Hub } from './hub.ts';
import type { Credentials } from './sessions.ts';
import { serveFile } from './static-files.ts';

const rpcPath = '/kojihub';
const filesPath = '/kojifiles';

/** The HTTP side of the hub: XML-RPC and uploads below /kojihub, its files below /kojifiles. Not listening yet. */
export function createHubServer(hub: Hub, dispatcher: Dispatcher): Server {
  return createServer((request, response) => {
    answer(hub, dispatcher, request, response).catch((error: unknown) => {
      if (error instanceof BadRequest) reply(hub, response, 400, 'text/plain', `${error.message}\n`);
      // Nothing can be answered on a connection that broke; the client sends its request again.
      else if (response.headersSent || request.destroyed) response.destroy();
      else
        reply(
          hub,
          response,
          500,
          'text/plain',
          `${error instanceof Error ? error.message : String(error)}\n`,
        );
    });
  });
}

async function answer(
  hub: Hub,
  dispatcher: Dispatcher,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://hub');
  if (url.pathname === filesPath || url.pathname.startsWith(`${filesPath}/`))
    return serveFile(hub.paths.topdir, url.pathname.slice(filesPath.length), request, response);
  if (url.pathname !== rpcPath && !url.pathname.startsWith(`${rpcPath}/`))
    return reply(hub, response, 404, 'text/plain', 'Not Found\n');
  if (request.method !== 'POST') {
    response.setHeader('Allow', 'POST');
    return reply(
      hub,
      response,
      405,
      'text/plain',
      'This is an XML-RPC server. Only POST requests are accepted.\n',
    );
  }
  // Koji runs below mod_wsgi, which does not take a body of unknown length.
  if (request.headers['content-length'] === undefined)
    return reply(hub, response, 411, 'text/plain', 'A request of defined length is required.\n');
  const isUpload = request.headers['content-type'] === 'application/octet-stream';
  const body = await readBody(request, isUpload ? Number.POSITIVE_INFINITY : hub.settings.maxRequestBytes);
  const credentials = readCredentials(request, url.searchParams);
  const document = isUpload
    ? await dispatcher.upload({ query: url.searchParams, body }, credentials)
    : await dispatcher.call(body, credentials);
  reply(hub, response, 200, 'text/xml', document);
}

async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    // Without an encoding set, a request yields buffers.
    const part = chunk as Buffer;
    size += part.length;
    if (size <= limitBytes) chunks.push(part);
    else chunks.length = 0;
  }
  if (size > limitBytes) throw new BadRequest('Invalid request: Request too long');
  return Buffer.concat(chunks);
}

/** The session in the headers or, for clients of old, in the query string. Headers win. */
function readCredentials(request: IncomingMessage, query: URLSearchParams): Credentials | undefined {
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const fromHeaders = header('koji-session-id') !== undefined;
  const id = fromHeaders ? header('koji-session-id') : (query.get('session-id') ?? undefined);
  const key = fromHeaders ? header('koji-session-key') : (query.get('session-key') ?? undefined);
  const callnum = fromHeaders ? header('koji-session-callnum') : (query.get('callnum') ?? undefined);
  if (id === undefined || key === undefined) return undefined;
  return { id: Number(id), key, callnum: callnum === undefined ? undefined : Number(callnum) };
}

function reply(hub: Hub, response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text);
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': body.length,
    'Koji-Version': hub.settings.kojiVersion,
  });
  response.end(body);
}
