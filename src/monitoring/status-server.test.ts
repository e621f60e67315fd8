import { describe, expect, it, onTestFinished } from 'vitest';
import { type StatusPages, StatusServer } from './status-server.ts';

async function listen(shown: Partial<StatusPages> = {}) {
  const all: StatusPages = { metrics: async () => 'a 1\n', whyNotWell: () => null, ...shown };
  const server = await StatusServer.listen({ host: '127.0.0.1', port: 0 }, all);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

describe('StatusServer', () => {
  it('shows the metrics in the format that it names', async () => {
    const { url } = await listen();

    const response = await fetch(`${url}/metrics`);

    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('a 1\n');
  });

  it.each([
    [null, 200, 'ok\n'],
    ['the hub is gone', 503, 'the hub is gone\n'],
  ])('says whether the daemon is well: %s', async (why, status, text) => {
    const { url } = await listen({ whyNotWell: () => why });

    const response = await fetch(`${url}/healthz`);

    expect([response.status, await response.text()]).toEqual([status, text]);
  });

  it.each([
    ['GET', '/', 404],
    ['POST', '/metrics', 405],
    ['HEAD', '/metrics', 200],
  ])('answers %s %s with %i', async (method, path, status) => {
    const { url } = await listen();

    expect((await fetch(url + path, { method })).status).toBe(status);
  });

  it('says what went wrong when the metrics cannot be had', async () => {
    const { url } = await listen({ metrics: () => Promise.reject(new Error('the engine is gone')) });

    const response = await fetch(`${url}/metrics`);

    expect([response.status, await response.text()]).toEqual([500, 'the engine is gone\n']);
  });

  it('does not begin where somebody else listens, and says what to change', async () => {
    const { url } = await listen();
    const port = Number(new URL(url).port);
    const shown: StatusPages = { metrics: async () => '', whyNotWell: () => null };

    await expect(StatusServer.listen({ host: '127.0.0.1', port }, shown)).rejects.toMatchObject({
      code: 'monitoring-unusable',
      message: expect.stringContaining('correct monitoring_bind'),
    });
  });
});
