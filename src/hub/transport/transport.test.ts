import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeHub, value } from '../../../test/support/fake-hub.ts';
import { encodeCall } from '../xmlrpc/codec.ts';
import { loadTls } from './tls.ts';
import { createTransport, type HubRequest, type TransportOptions } from './transport.ts';

const request: HubRequest = {
  path: '',
  query: '',
  headers: { 'Content-Type': 'text/xml' },
  body: Buffer.from(encodeCall('echo', ['OK'])),
};
const create = (server: string, more: Partial<TransportOptions> = {}) =>
  createTransport({
    server,
    secure: false,
    tls: { clientPem: null, serverCaPem: null, skipVerify: false },
    timeoutMs: 60_000,
    ...more,
  });

describe('createTransport', () => {
  it('shows an address without user, password and trailing slash', () => {
    expect(create('http://me:secret@hub.example.com:8080/kojihub/').url).toBe(
      'http://hub.example.com:8080/kojihub',
    );
  });

  it('turns to https for a login by certificate', () => {
    expect(create('http://hub.example.com/kojihub', { secure: true }).url).toBe(
      'https://hub.example.com/kojihub',
    );
  });

  it('says which option holds no address', () => {
    expect(() => create('koji.example.com/kojihub')).toThrow(
      /"koji.example.com\/kojihub" \(option "server"\)/,
    );
  });
});

describe('post', () => {
  it('sends a length instead of chunks and keeps the connection', async () => {
    await using hub = await FakeHub.start();
    hub.on('echo', value(['OK']));
    const transport = create(hub.url);

    const answer = await transport.post(request);
    await transport.post(request);

    expect(answer.hubVersion).toBe('1.35.3');
    expect(hub.seen[0]?.headers).toMatchObject({
      'content-length': String(request.body.byteLength),
      connection: 'keep-alive',
    });
    expect(hub.seen[0]?.headers).not.toHaveProperty('transfer-encoding');
  });

  it('says that nobody listens', async () => {
    const hub = await FakeHub.start();
    const { url } = hub;
    await hub[Symbol.asyncDispose]();

    await expect(create(url).post(request)).rejects.toMatchObject({
      reason: 'unreachable',
      message: expect.stringMatching(/cannot reach .*ECONNREFUSED.*option "server"/),
    });
  });

  it('gives up a hub that stays silent', async () => {
    await using hub = await FakeHub.start();
    hub.on('echo', 'hang');

    await expect(create(hub.url, { timeoutMs: 20 }).post(request)).rejects.toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('option "timeout"'),
    });
  });

  it('gives up an answer that is too long', async () => {
    await using hub = await FakeHub.start();
    hub.on('echo', value(['x'.repeat(5000)]));

    await expect(create(hub.url, { maxAnswerBytes: 1000 }).post(request)).rejects.toMatchObject({
      reason: 'too-large',
    });
  });

  it('sends nothing when aborted before', async () => {
    await using hub = await FakeHub.start();

    await expect(
      (async () => create(hub.url).post(request, AbortSignal.abort(new Error('stop'))))(),
    ).rejects.toThrow('stop');
    expect(hub.seen).toEqual([]);
  });
});

describe('loadTls', () => {
  it.each([
    ['is missing', null, /cannot read .*client.pem \(option "cert"\): .*ENOENT/],
    ['is something else', 'hello', /holds no certificate in PEM form/],
    [
      'has no key',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      /holds no private key; put certificate and key into that one file/,
    ],
    [
      'is damaged',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
      /cannot be used/,
    ],
  ])('explains a certificate that %s', async (_name, content, message) => {
    const directory = await mkdtemp(join(tmpdir(), 'tls-'));
    const certPath = join(directory, 'client.pem');
    if (content !== null) await writeFile(certPath, content);

    try {
      await expect(loadTls({ certPath, verify: true })).rejects.toMatchObject({
        code: 'tls-config',
        message: expect.stringMatching(message),
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
