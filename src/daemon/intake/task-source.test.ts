import { describe, expect, it } from 'vitest';
import { hostRow } from '../../../test/support/hub-rows.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { ScriptedSession } from '../../../test/support/scripted-session.ts';
import { silentLog } from '../../../test/support/silent-log.ts';
import { never } from '../../core/never.ts';
import { HostApi } from '../../hub/api/host.ts';
import { QueueApi } from '../../hub/api/queue.ts';
import { taskStates } from '../../hub/api/schema.ts';
import { VersionApi } from '../../hub/api/version.ts';
import { BuilderEvents } from '../events.ts';
import type { Offer } from './offer.ts';
import { OwnChildren } from './own-children.ts';
import { TaskSource } from './task-source.ts';

const signal = never;
const quarterHourMs = 15 * 60_000;

async function setUp(hubVersion: string) {
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
  session
    .on('host.getID', 3)
    .on('host.getHost', hostRow())
    .on('host.freeTasks', null)
    .on('host.refuseTask', null);
  session.on('host.getLoadData', [[host], [row(5), row(6), row(7, taskStates.assigned)]]);
  session.on('host.getTasks', [{ ...row(8, taskStates.assigned), create_ts: 1 }]);
  const clock = new ManualClock();
  const api = new HostApi(session);
  const events = new BuilderEvents();
  const version = new VersionApi(session);
  const children = new OwnChildren({
    mode: 'no',
    queue: new QueueApi(session),
    host: api,
    version,
    maxJobs: 10,
    weightOf: () => null,
    events,
    log: silentLog,
  });
  const expected: string[] = [];
  const pace = { expectWork: () => expected.push('work') };
  const registry = new Map();
  const source = new TaskSource({
    host: api,
    version,
    children,
    registry,
    pace,
    clock,
    availDelayMs: 0,
    events,
    log: silentLog,
  });
  const held = { host: await api.host(signal), load: 0, tasks: 0 };
  const offers = async () => {
    const all: Offer[] = [];
    for await (const offer of source.offers(held, signal)) all.push(offer);
    return all;
  };
  const ids = async () => (await offers()).map(({ id }) => id);
  /** Refuses the task of this id, which is on offer. */
  const refuse = async (id: number) => {
    const offer = (await offers()).find((each) => each.id === id);
    if (offer === undefined) throw new Error(`${id} is not on offer`);
    await source.refuse(offer, 'no handler for method', signal);
  };
  return { session, clock, host: api, source, ids, refuse, events, expected };
}

describe('TaskSource', () => {
  it('takes what the hub assigns, and tells it what is refused', async () => {
    const { session, refuse, ids } = await setUp('1.34.3');

    expect(await ids()).toEqual([8]);
    await refuse(8);

    expect(session.of('host.refuseTask')).toMatchObject([
      { params: [8], keywords: { soft: false, msg: 'no handler for method' } },
    ]);
    expect(session.methods).not.toContain('host.getLoadData');
  });

  it('chooses itself on hubs before 1.34, and remembers what it has refused', async () => {
    const { session, source, refuse, ids, clock } = await setUp('1.33.2');

    expect(await ids()).toEqual([5, 6, 7]);
    await refuse(5);
    await source.refuseOpen(6, { soft: true, message: 'no topdir' }, { refuseTask: async () => undefined });

    expect(await ids()).toEqual([7]);
    await clock.advance(quarterHourMs);
    expect(await ids()).toEqual([6, 7]);
    expect(session.methods.filter((method) => /refuse|free|getTasks$/.test(method))).toEqual([]);
  });

  it('gives an open task back through the session of the task', async () => {
    const { session, source } = await setUp('1.34.3');
    const task = new ScriptedSession().on('host.refuseTask', null);

    await source.refuseOpen(8, { soft: true, message: 'no topdir' }, new HostApi(task));

    expect(task.of('host.refuseTask')).toMatchObject([
      { params: [8], keywords: { soft: true, msg: 'no topdir' } },
    ]);
    expect(session.methods).not.toContain('host.refuseTask');
  });

  it('says what it refuses, and expects work when a task has ended or made a child', async () => {
    const { events, source, refuse, expected } = await setUp('1.34.3');
    const refused: unknown[] = [];
    events.on('task:refused', (event) => refused.push(event));

    await refuse(8);
    expect(expected).toEqual([]);
    source.taskEnded();
    source.childMade({ id: 9, method: 'sleep', parentId: 8, assigned: false });

    expect(refused).toEqual([{ taskId: 8, method: 'build', message: 'no handler for method' }]);
    expect(expected).toEqual(['work', 'work']);
  });

  it('gives open tasks back there, for the hub knows no refusals', async () => {
    const { session, host } = await setUp('1.33.2');

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
    const { session, host } = await setUp(version);
    session.on('host.updateHost', null);

    await host.updateHost(1, true, { methods: ['build'], maxjobs: 10 }, signal);

    expect(session.of('host.updateHost')[0]?.keywords).toEqual(keywords);
  });
});
