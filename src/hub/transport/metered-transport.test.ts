import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { meteredTransport } from './metered-transport.ts';
import type { HubAnswer, HubRequest, HubTransport } from './transport.ts';

const request = (type: string): HubRequest => ({
  path: '',
  query: '',
  headers: { 'Content-Type': type },
  body: Buffer.alloc(0),
  timeoutMs: 1,
});

function setUp(post: HubTransport['post']) {
  const counted: unknown[] = [];
  const clock = new FakeClock();
  const meter = {
    count: (name: string, labels: object) => void counted.push([name, labels]),
    observe: (name: string, labels: object, seconds: number) => void counted.push([name, labels, seconds]),
  };
  const bare: HubTransport = {
    url: 'http://hub',
    async post(...call) {
      await clock.sleep(250);
      return post(...call);
    },
    dropConnections: () => undefined,
  };
  return { transport: meteredTransport(bare, meter, clock), counted };
}

describe('meteredTransport', () => {
  it.each([
    ['text/xml', 'call'],
    ['application/octet-stream', 'upload'],
  ])('counts what is sent as %s as %s, with its time', async (type, kind) => {
    // Nobody looks into the answer.
    const answer = {} as HubAnswer;
    const { transport, counted } = setUp(async () => answer);

    expect(await transport.post(request(type))).toBe(answer);

    expect(counted).toEqual([
      ['koji_adjutant_hub_requests_total', { kind, result: 'answered' }],
      ['koji_adjutant_hub_request_seconds', { kind }, 0.25],
    ]);
  });

  it('counts what has failed, and fails as before', async () => {
    const { transport, counted } = setUp(() => Promise.reject(new Error('gone')));

    await expect(transport.post(request('text/xml'))).rejects.toThrow('gone');

    expect(counted[0]).toEqual(['koji_adjutant_hub_requests_total', { kind: 'call', result: 'failed' }]);
  });
});
