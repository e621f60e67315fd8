import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { ScriptedSession } from '../../../test/support/scripted-session.ts';
import { never } from '../../core/never.ts';
import { HostApi } from '../../hub/api/host.ts';
import { taskStates } from '../../hub/api/schema.ts';
import { VersionApi } from '../../hub/api/version.ts';
import { TaskSource } from './task-source.ts';

const signal = never;
const quarterHourMs = 15 * 60_000;

function setUp(hubVersion: string) {
  const session = new ScriptedSession();
  session.hubVersion = hubVersion;
  const host = { id: 3, name: 'b1', arches: 'x86_64', capacity: 4, task_load: 0, channels: [1] };
  const row = (id: number, state: number = taskStates.free) => ({
    id,
    state,
    host_id: state === taskStates.assigned ? 3 : null,
    channel_id: 1,
    arch: 'noarch',
    method: 'build',
    priority: 20,
    create_time: '2026-11-20 07:38:19',
  });
  session.on('host.getID', 3).on('host.freeTasks', null).on('host.refuseTask', null);
  session.on('host.getLoadData', [[host], [row(5), row(6), row(7, taskStates.assigned)]]);
  session.on('host.getTasks', [{ ...row(8, taskStates.assigned), create_ts: 1 }]);
  const clock = new ManualClock();
  const api = new HostApi(session);
  const source = new TaskSource({ host: api, version: new VersionApi(session), clock, availDelayMs: 0 });
  const ids = async () => (await source.offers(signal)).map(({ id }) => id);
  return { session, clock, host: api, source, ids };
}

describe('TaskSource', () => {
  it('takes what the hub assigns, and tells it what is refused', async () => {
    const { session, source, ids } = setUp('1.34.3');

    expect(await ids()).toEqual([8]);
    await source.refuse(8, 'no handler for method', signal);

    expect(session.of('host.refuseTask')).toMatchObject([
      { params: [8], keywords: { soft: false, msg: 'no handler for method' } },
    ]);
    expect(session.methods).not.toContain('host.getLoadData');
  });

  it('chooses itself on hubs before 1.34, and remembers what it has refused', async () => {
    const { session, source, ids, clock } = setUp('1.33.2');

    expect(await ids()).toEqual([5, 6, 7]);
    await source.refuse(5, 'no handler for method', signal);
    source.refused(6, true);

    expect(await ids()).toEqual([7]);
    await clock.advance(quarterHourMs);
    expect(await ids()).toEqual([6, 7]);
    expect(session.methods.filter((method) => /refuse|free|getTasks$/.test(method))).toEqual([]);
  });

  it('gives open tasks back there, for the hub knows no refusals', async () => {
    const { session, host } = setUp('1.33.2');

    await host.refuseTask(9, { soft: true, msg: 'no topdir' });

    expect(session.of('host.freeTasks')).toMatchObject([{ params: [[9]] }]);
    expect(session.methods).not.toContain('host.refuseTask');
  });

  it.each([
    ['1.33.2', {}],
    ['1.34.0', {}],
    ['1.34.1', { data: { methods: ['build'], maxjobs: 10 } }],
    ['1.36.0', { data: { methods: ['build'], maxjobs: 10 } }],
  ])('tells a hub of version %s of itself what that knows', async (version, keywords) => {
    const { session, host } = setUp(version);
    session.on('host.updateHost', null);

    await host.updateHost(1, true, { methods: ['build'], maxjobs: 10 }, signal);

    expect(session.of('host.updateHost')[0]?.keywords).toEqual(keywords);
  });
});
