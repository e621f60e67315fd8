import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { splitKeywords } from '../../src/hub/xmlrpc/codec.ts';
import { decodeCall } from '../../src/hub/xmlrpc/decode.ts';
import type { TestHub } from './builder.ts';

/** One call that was sent to the hub. */
export interface RecordedCall {
  readonly session: string | null;
  readonly method: string;
  readonly params: readonly unknown[];
  /** Name of the file of an upload, and how much of it was sent. */
  readonly upload: { readonly name: string; readonly bytes: number } | null;
}

/** A hub behind a proxy that notes the calls. */
export interface RecordingHub extends TestHub {
  readonly calls: readonly RecordedCall[];
}

/** Puts a proxy before the hub; closing it closes the hub. */
export async function recordCalls(hub: TestHub): Promise<RecordingHub> {
  const calls: RecordedCall[] = [];
  const server = http.createServer((request, response) => {
    pass(request, response).catch(() => response.destroy());
  });
  async function pass(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    // A request without an encoding yields buffers.
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const query = new URL(request.url ?? '/', 'http://hub').search;
    calls.push(toCall(request.headers, new URLSearchParams(query), body));
    const headers = { ...request.headers, host: new URL(hub.url).host };
    const forwarded = http.request(`${hub.url}${query}`, { method: 'POST', headers }).end(body);
    const [answer] = (await once(forwarded, 'response')) as [http.IncomingMessage];
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on TCP has an address of this form.
  const { port } = server.address() as AddressInfo;
  return {
    ...hub,
    calls,
    url: `http://127.0.0.1:${port}/kojihub`,
    async close() {
      server.close();
      server.closeAllConnections();
      await hub.close();
    },
  };
}

function toCall(headers: http.IncomingHttpHeaders, query: URLSearchParams, body: Buffer): RecordedCall {
  const session = headers['koji-session-id']?.toString() ?? null;
  if (headers['content-type'] === 'application/octet-stream') {
    const upload = { name: query.get('filename') ?? '', bytes: body.length };
    return { session, method: 'rawUpload', params: [], upload };
  }
  const { method, params } = decodeCall(body);
  return { session, method, params: splitKeywords(params).params, upload: null };
}
