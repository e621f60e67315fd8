import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { hostRow, taskRow } from '../../../test/support/hub-rows.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { hubFault, ScriptedSession } from '../../../test/support/scripted-session.ts';
import { silentLog } from '../../../test/support/silent-log.ts';
import { acceptRules } from '../../config/options/accept-rules.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { never } from '../../core/never.ts';
import { hubApis } from '../../hub/api/apis.ts';
import { HostApi } from '../../hub/api/host.ts';
import { QueueApi } from '../../hub/api/queue.ts';
import { taskStates } from '../../hub/api/schema.ts';
import { VersionApi } from '../../hub/api/version.ts';
import { encodeCall } from '../../hub/xmlrpc/codec.ts';
import type { TaskAdapter } from '../../tasks/adapter.ts';
import { BuilderEvents } from '../events.ts';
import { OwnChildren } from './own-children.ts';
import { type TakenTask, TaskSource } from './task-source.ts';

const signal = never;
const quarterHourMs = 15 * 60_000;

/** Tasks of method `build`, which this host takes; those of `unknown` are of one that it does not have. */
async function setUp(hubVersion: string, unknown: readonly number[] = []) {
  const session = new ScriptedSession();
  session.hubVersion = hubVersion;
  const host = { id: 3, name: 'b1', arches: 'x86_64', capacity: 4, task_load: 0, channels: [1] };
  const row = (id: number, state: number = taskStates.free) => ({
    id,
    state,
    host_id: state === taskStates.assigned ? 3 : null,
    channel_id: 1,
    arch: 'noarch',
    method: unknown.includes(id) ? 'image' : 'build',
    priority: 20,
    create_time: '2026-11-20 07:38:19',
  });
  session
    .on('host.getID', 3)
    .on('host.getHost', hostRow())
    .on('host.freeTasks', null)
    .on('host.refuseTask', null)
    .on('host.openTask', ({ params: [id = 0] }) =>
      taskRow({ id, method: 'build', request: encodeCall('build', [7]) }),
    )
    .on('host.setTaskWeight', null);
  session.on('host.getLoadData', [[host], [row(5), row(6), row(7, taskStates.assigned)]]);
  session.on('host.getTasks', [{ ...row(8, taskStates.assigned), create_ts: 1 }]);
  const clock = new ManualClock();
  const { host: api, tags, repos } = hubApis(session, clock);
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
  const adapter: TaskAdapter<number> = {
    methods: ['build'],
    weight: 1,
    signature: { names: ['n'], schema: z.object({ n: z.int() }).transform(({ n }) => n) },
    run: async () => null,
  };
  // The registry's own types forget the parameters in the same way.
  const registry = new Map([['build', adapter as TaskAdapter]]);
  const source = new TaskSource({
    host: api,
    version,
    children,
    registry,
    tags,
    repos,
    accept: acceptRules.schema.parse(''),
    pace,
    clock,
    availDelayMs: 0,
    events,
    log: silentLog,
  });
  const held = { host: await api.host(signal), load: 0, running: new Set<number>() };
  const tasks = async () => {
    const all: TakenTask[] = [];
    for await (const task of source.tasks(held, signal)) all.push(task);
    return all;
  };
  const ids = async () => (await tasks()).map(({ task }) => task.id);
  return { session, clock, host: api, source, held, tasks, ids, events, expected };
}

describe('TaskSource', () => {
  it('opens what the hub assigns, with its parameters', async () => {
    const { session, tasks } = await setUp('1.34.3');

    expect(await tasks()).toMatchObject([{ task: { id: 8 }, params: { value: 7 }, from: 'hub' }]);
    expect(session.of('host.setTaskWeight')).toMatchObject([{ params: [8, 1] }]);
    expect(session.methods).not.toContain('getTaskInfo');
    expect(session.methods).not.toContain('host.getLoadData');
  });

  it('refuses by itself what this host does not take, and tells the hub', async () => {
    const { session, ids } = await setUp('1.34.3', [8]);

    expect(await ids()).toEqual([]);

    expect(session.of('host.refuseTask')).toMatchObject([
      { params: [8], keywords: { soft: false, msg: 'no handler for method' } },
    ]);
    expect(session.methods).not.toContain('host.openTask');
  });

  it('opens a task only when it is asked for it', async () => {
    const { session, source, held } = await setUp('1.33.2');

    for await (const { task } of source.tasks(held, signal)) {
      expect(task.id).toBe(5);
      break;
    }

    expect(session.of('host.openTask')).toHaveLength(1);
  });

  it('leaves out what runs here', async () => {
    const { ids, held } = await setUp('1.33.2');
    held.running.add(5);

    expect(await ids()).toEqual([6, 7]);
  });

  it.each([
    ['another host has opened', 'host.openTask', null],
    [
      'was canceled while it was opened',
      'host.setTaskWeight',
      hubFault(faultCodes.actionNotAllowed, 'not open'),
    ],
  ] as const)('gives out nothing of a task that %s', async (_what, method, answer) => {
    const { session, ids } = await setUp('1.34.3');
    session.on(method, answer);

    expect(await ids()).toEqual([]);
  });

  it('chooses itself on hubs before 1.34, and remembers what it has refused', async () => {
    const { session, source, ids, clock, events } = await setUp('1.33.2', [5]);
    const refused: number[] = [];
    events.on('task:refused', ({ taskId }) => refused.push(taskId));

    expect(await ids()).toEqual([6, 7]);
    await source.refuseOpen(6, { soft: true, message: 'no topdir' }, { refuseTask: async () => undefined });

    expect(await ids()).toEqual([7]);
    await clock.advance(quarterHourMs);
    expect(await ids()).toEqual([6, 7]);
    expect(refused).toEqual([5]);
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
    const { events, source, ids, expected } = await setUp('1.34.3', [8]);
    const refused: unknown[] = [];
    events.on('task:refused', (event) => refused.push(event));

    await ids();
    expect(expected).toEqual([]);
    source.taskEnded();
    source.childMade({ id: 9, method: 'sleep', parentId: 8, assigned: false });

    expect(refused).toEqual([{ taskId: 8, method: 'image', message: 'no handler for method' }]);
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
