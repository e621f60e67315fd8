import { execFile, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { temporaryDirectory } from './temporary-directory.ts';

const run = promisify(execFile);

/** Why there can be no authority on this host; null when there can. */
export function whyNoAuthority(): string | null {
  return spawnSync('openssl', ['version']).status === 0 ? null : 'there is no openssl';
}

/** An authority of a site's own, and a server on loopback with a certificate that it has signed. Both go when the test ends. */
export async function openSiteAuthority(listener: RequestListener) {
  const directory = await temporaryDirectory();
  const path = (name: string) => join(directory, name);
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await run('openssl', [
    ...['req', '-x509', ...kind, '-subj', '/CN=Site Authority'],
    ...['-keyout', path('ca.key'), '-out', path('ca.crt')],
  ]);
  await run('openssl', [
    ...['req', ...kind, '-subj', '/CN=localhost', '-keyout', path('server.key'), '-out', path('server.csr')],
  ]);
  await writeFile(path('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  await run('openssl', [
    ...['x509', '-req', '-in', path('server.csr'), '-CA', path('ca.crt'), '-CAkey', path('ca.key')],
    ...['-CAcreateserial', '-extfile', path('names'), '-out', path('server.crt')],
  ]);
  const server = createServer(
    { key: await readFile(path('server.key')), cert: await readFile(path('server.crt')) },
    listener,
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`, // it listens on a port
    /** The authority's certificate. */
    certificate: path('ca.crt'),
  };
}
