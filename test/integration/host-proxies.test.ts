import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Fetcher } from '../../src/cache/fetcher.ts';
import { systemClock } from '../../src/core/clock.ts';
import { type Proxies, readProxies, repoProxies } from '../../src/core/host-proxies.ts';
import { never } from '../../src/core/never.ts';
import { HubFiles } from '../../src/hub/files.ts';
import { createTransport } from '../../src/hub/transport/transport.ts';
import { encodeCall, encodeResponse } from '../../src/hub/xmlrpc/codec.ts';
import { allOf } from '../support/all-of.ts';

const noTls = { clientPem: null, serverCaPem: null, skipVerify: false };

/** A proxy that answers by itself, for hosts that there are not, and notes what it was asked for. */
async function openProxy() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    request.resume();
    response.end(request.method === 'POST' ? encodeResponse('hello') : 'by proxy');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on a port
  return { asked, port, url: `http://127.0.0.1:${port}` };
}

async function callHub(server: string, proxies: Proxies): Promise<string> {
  const transport = createTransport({ server, secure: false, tls: noTls, proxies, timeoutMs: 20_000 });
  const body = Buffer.from(encodeCall('hello', []));
  return (await transport.post({ path: '', query: '', headers: {}, body })).body.toString();
}

async function readRepo(url: string, proxies: Proxies): Promise<string> {
  const { body } = await new Fetcher(proxies, systemClock).open(url, { signal: never });
  return Buffer.concat(await allOf<Uint8Array>(body)).toString();
}

it("speaks to hub, topurl and repos by the environment's proxy", async () => {
  const { url, asked } = await openProxy();
  const proxies = readProxies({ http_proxy: url });

  expect(await callHub('http://hub.invalid/kojihub', proxies)).toContain('hello');
  expect(await new HubFiles(['http://files.invalid'], '/', proxies).text('work/a', never)).toBe('by proxy');
  expect(await readRepo('http://repo.invalid/a', repoProxies(null, proxies))).toBe('by proxy');
  expect(asked).toEqual([
    'http://hub.invalid/kojihub',
    'http://files.invalid/work/a',
    'http://repo.invalid/a',
  ]);
});

it('does not where no_proxy names the host or a domain of it, nor to this host itself', async () => {
  const { url, asked, port } = await openProxy();
  const proxies = readProxies({ http_proxy: url, no_proxy: 'invalid' });

  await expect(callHub('http://hub.invalid/kojihub', proxies)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
  await expect(new HubFiles(['http://files.invalid'], '/', proxies).text('work/a', never)).rejects.toThrow(
    /cannot read/,
  );
  await expect(readRepo('http://repo.invalid/a', proxies)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
  expect(asked).toEqual([]);

  // What answers there is the same server, asked for a path.
  expect(await readRepo(`http://127.0.0.1:${port}/a`, proxies)).toBe('by proxy');
  expect(asked).toEqual(['/a']);
});

it('speaks to repos by yum_proxy, and to the hub as the environment says', async () => {
  const environment = await openProxy();
  const repos = await openProxy();
  const proxies = readProxies({ http_proxy: environment.url });

  await callHub('http://hub.invalid/kojihub', proxies);
  await readRepo('http://repo.invalid/a', repoProxies(repos.url, proxies));

  expect(environment.asked).toEqual(['http://hub.invalid/kojihub']);
  expect(repos.asked).toEqual(['http://repo.invalid/a']);
});
