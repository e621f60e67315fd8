import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { hostRow, taskRow } from '../../../test/support/hub-rows.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { hubFault, ScriptedSession } from '../../../test/support/scripted-session.ts';
import { silentLog } from '../../../test/support/silent-log.ts';
import { acceptRules } from '../../config/options/accept-rules.ts';
import { never } from '../../core/never.ts';
import { hubApis } from '../../hub/api/apis.ts';
import type { TaskAdapter } from '../../tasks/adapter.ts';
import { TaskFault } from '../../tasks/errors.ts';
import { decide } from './decide.ts';
import { Offer } from './offer.ts';

/** A task of method `picky` with this request is offered; the adapter takes hosts of the arch in it. */
function setUp({ accept = '', request = ['x86_64', 'f1-build'], method = 'picky' } = {}) {
  let decoded = 0;
  const schema = z.object({ arch: z.string(), tag: z.string() }).transform((params) => {
    decoded += 1;
    return params;
  });
  const adapter: TaskAdapter<z.infer<typeof schema>> = {
    methods: ['picky'],
    weight: 1,
    signature: { names: ['arch', 'tag'], schema },
    purpose: ({ tag }) => ({ buildTag: [{ tag }], scratch: false }),
    checkHost: async ({ arch }, { arches }) => (arches.includes(arch) ? null : `not on ${arches.join(' ')}`),
    run: async () => null,
  };
  const session = new ScriptedSession()
    .on('getTaskInfo', () => taskRow({ id: 1, method: 'picky', request }))
    .on('host.getHost', hostRow());
  const apis = hubApis(session, new ManualClock());
  // The registry's own types forget the parameters in the same way.
  const registry = new Map([['picky', adapter as TaskAdapter]]);
  const offer = new Offer({ id: 1, method }, 'hub', registry, apis.host);
  const sources = { ...apis, registry, accept: acceptRules.schema.parse(accept), log: silentLog };
  return { session, offer, adapter, ask: () => decide(offer, sources, never), decoded: () => decoded };
}

describe('decide', () => {
  it('takes what the rules accept and the adapter does not decline', async () => {
    const { ask, adapter } = setUp({ accept: 'tags=f1-build' });

    expect(await ask()).toEqual({ kind: 'take', adapter });
  });

  it('reads and decodes the request once, for rules, adapter and the opened task', async () => {
    const { ask, session, offer, adapter, decoded } = setUp({ accept: 'tags=f1-build scratch=no' });

    await ask();
    const params = offer.paramsOf(adapter as TaskAdapter, ['x86_64', 'f1-build']);

    expect(params).toEqual({ value: { arch: 'x86_64', tag: 'f1-build' } });
    expect(session.of('getTaskInfo')).toHaveLength(1);
    expect(decoded()).toBe(1);
  });

  it.each([
    ['no handler for method', { method: 'image' }],
    ['its build tag is f2-build', { accept: 'tags=f1-build', request: ['x86_64', 'f2-build'] }],
    ['not on x86_64', { request: ['s390x', 'f1-build'] }],
  ])('refuses: %s', async (why, task) => {
    expect(await setUp(task).ask()).toEqual({ kind: 'refuse', why: expect.stringContaining(why) });
  });

  it('takes a task whose parameters cannot be read, for it is to fail with that', async () => {
    const { ask, offer, adapter } = setUp({ request: ['x86_64'] });

    expect(await ask()).toEqual({ kind: 'take', adapter });
    expect(await offer.params(never)).toEqual({ error: expect.any(TaskFault) });
  });

  it('refuses what the hub cannot tell the purpose of, but rejects when the hub is away', async () => {
    const { ask, session } = setUp({ accept: 'scratch=no' });

    session.on('getTaskInfo', hubFault(1014, 'offline'));
    await expect(ask()).rejects.toThrow('offline');
    session.on('getTaskInfo', hubFault(1000, 'odd'));
    expect(await ask()).toMatchObject({
      kind: 'refuse',
      why: expect.stringMatching(/^cannot determine .*odd/),
    });
  });
});
