import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { faultCodes } from '../core/koji-faults.ts';
import { encodeFault } from '../hub/xmlrpc/codec.ts';
import type { Dispatcher } from './dispatch.ts';
import { BadRequest, Refusal } from './faults.ts';
import type { Hub } from './hub.ts';
import type { Credentials } from './sessions.ts';
import { serveFile } from './static-files.ts';

const rpcPath = '/kojihub';
const filesPath = '/kojifiles';

/** The HTTP side of the hub: XML-RPC and uploads below /kojihub, its files below /kojifiles. Not listening yet. */
export function createHubServer(hub: Hub, dispatcher: Dispatcher): Server {
  // Idle connections are ended by clients, not here, where a request may be on its way already.
  return createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
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
  const document = await respond(dispatcher, request, url.searchParams, body, isUpload);
  reply(hub, response, 200, 'text/xml', document);
}

async function respond(
  dispatcher: Dispatcher,
  request: IncomingMessage,
  query: URLSearchParams,
  body: Uint8Array,
  isUpload: boolean,
): Promise<string> {
  try {
    const credentials = readCredentials(request, query);
    return await (isUpload
      ? dispatcher.upload({ query, body }, credentials)
      : dispatcher.call(body, credentials));
  } catch (error) {
    if (error instanceof Refusal) return encodeFault(error.code, error.message);
    throw error;
  }
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

/**
 * The session in the headers or, for clients of old, in the query string. Headers win; without them a query string
 * that names no session is refused with 1002, be it an upload's.
 */
function readCredentials(request: IncomingMessage, query: URLSearchParams): Credentials | undefined {
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const id = header('koji-session-id');
  if (id !== undefined) return toCredentials(id, header('koji-session-key'), header('koji-session-callnum'));
  if (query.size === 0) return undefined;
  const urlId = query.get('session-id');
  if (urlId === null) throw new Refusal(faultCodes.auth, "'session-id' not specified in session args");
  return toCredentials(urlId, query.get('session-key') ?? undefined, query.get('callnum') ?? undefined);
}

function toCredentials(id: string, key: string | undefined, callnum: string | undefined): Credentials {
  return { id: Number(id), key: key ?? '', callnum: callnum === undefined ? undefined : Number(callnum) };
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
