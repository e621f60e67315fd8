import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';

/**
 * Serves a file below `root`, or the list of a directory. Links are followed wherever they lead, as the hub's web
 * server does: repositories reach their packages through one.
 */
export async function serveFile(
  root: string,
  encodedPath: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return finish(response, 405, 'Method Not Allowed\n');
  // Normalizing a path that begins with a slash leaves no step upwards.
  const path = posix.normalize(`/${decodePath(encodedPath)}`);
  const file = join(root, path);
  const info = await stat(file).catch(() => undefined);
  if (info === undefined) return finish(response, 404, 'Not Found\n');
  if (info.isDirectory()) return finish(response, 200, toListing(path, await readdir(file)), 'text/html');
  response.writeHead(200, {
    'Content-Type':
      file.endsWith('.log') || file.endsWith('.json') ? 'text/plain' : 'application/octet-stream',
    'Content-Length': info.size,
    'Last-Modified': info.mtime.toUTCString(),
  });
  if (request.method === 'HEAD') response.end();
  // A file may grow while it is sent; what was announced is what is sent.
  else if (info.size === 0) response.end();
  else await pipeline(createReadStream(file, { end: info.size - 1 }), response);
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Not percent-encoding: it names no file, which is what the answer will say.
    return path;
  }
}

function toListing(path: string, names: readonly string[]): string {
  const base = path.endsWith('/') ? path : `${path}/`;
  const links = [...names]
    .sort()
    .map((name) => `<li><a href="/kojifiles${base}${encodeURIComponent(name)}">${name}</a></li>`);
  return `<!doctype html><title>${path}</title><ul>${links.join('\n')}</ul>\n`;
}

function finish(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  const body = Buffer.from(text);
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length });
  response.end(body);
}
