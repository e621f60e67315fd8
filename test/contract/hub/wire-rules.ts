import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { encodeCall } from '../../../src/hub/xmlrpc/codec.ts';
import { buildTag, expectFault, target, type UseFixture } from './fixture.ts';

/** HTTP and XML-RPC below all methods (`kojihub/kojixmlrpc.py`). */
export function describeWireRules(use: UseFixture): void {
  const post = (body: string | Uint8Array | ReadableStream, init: RequestInit = {}) =>
    fetch(use().hub.url, {
      method: 'POST',
      headers: { 'Content-Type': 'text/xml' },
      body,
      ...init,
    } as RequestInit);

  describe('HTTP', () => {
    it('tells its version with every answer', async () => {
      const response = await post(encodeCall('echo', ['x']));

      expect(response.status).toBe(200);
      expect(response.headers.get('koji-version')).toMatch(/^\d+\.\d+/);
      await response.text();
    });

    it('answers a fault with status 200', async () => {
      const response = await post(encodeCall('nosuchmethod', []));

      expect(response.status).toBe(200);
      await response.text();
    });

    it('takes POST only', async () => {
      const response = await fetch(use().hub.url);

      expect(response.status).toBe(405);
      await response.text();
    });

    it.each([
      ['an empty body', '', 'Invalid request'],
      ['what is no XML', 'hello', 'Invalid request'],
      ['a request that is too long', encodeCall('echo', ['x'.repeat(4 * 1024 * 1024)]), 'too long'],
    ])('answers %s with status 400', async (_name, body, text) => {
      const response = await post(body);

      expect(response.status).toBe(400);
      expect(await response.text()).toContain(text);
    });

    it('wants to know the length of a request', async () => {
      const stream = new Blob([encodeCall('echo', ['x'])]).stream();

      const response = await post(stream, { duplex: 'half' } as RequestInit);

      expect(response.status).toBe(411);
      await response.text();
    });
  });

  describe('arguments', () => {
    it('refuses a method it does not have', async () => {
      await expectFault(use().user.call('nosuchmethod'), 1000);
    });

    it('refuses too many arguments and unknown keywords', async () => {
      await expectFault(use().user.call('getKojiVersion', [1]), 1019);
      await expectFault(use().user.call('getTag', [target], { nosuch: 1 }), 1019);
      await expectFault(use().user.call('getTag'), 1019);
      await expectFault(use().user.call('getTag', [target], { tagInfo: target }), 1019);
    });

    it('takes a struct for a name or an id', async () => {
      const { id } = z.looseObject({ id: z.int() }).parse(await use().user.call('getTag', [target]));

      for (const tag of [id, { id, name: 'x' }, { name: target }])
        expect(await use().user.call('getTag', [tag])).toMatchObject({ id, name: target });
      await expectFault(use().user.call('getTag', [{ nosuch: 1 }]), 1019);
    });

    it('carries nothing, text of all scripts and large numbers', async () => {
      const values = [null, 'żółw <&> "', 2 ** 40, -1, 1.5, true, [], { a: [null] }];

      expect(await use().user.call('echo', values)).toEqual(values);
    });
  });

  describe('multiCall', () => {
    it('answers each call for itself', async () => {
      const answers = await use().user.call('multiCall', [
        [
          { methodName: 'echo', params: ['x'] },
          { methodName: 'nosuchmethod', params: [] },
          { methodName: 'getTag', params: [target, { strict: true, __starstar: true }] },
        ],
      ]);

      expect(answers).toEqual([
        [['x']],
        expect.objectContaining({ faultCode: 1000 }),
        [expect.objectContaining({ name: target })],
      ]);
    });

    it('may not be repeated once a call in it has written, whatever the call', async () => {
      const session = await use().builder.subsession();
      const update = { methodName: 'host.updateHost', params: [0, false] };
      await session.callNumbered(0, 'multiCall', [[update]]);

      await expectFault(session.callNumbered(0, 'multiCall', [[update]]), 1009);
    });

    it('counts as a change when all it did was to read', async () => {
      const session = await use().builder.subsession();
      const look = { methodName: 'getTag', params: [buildTag] };
      await session.callNumbered(0, 'multiCall', [[look]]);

      await expectFault(session.callNumbered(0, 'multiCall', [[look]]), 1009);
    });
  });
}
