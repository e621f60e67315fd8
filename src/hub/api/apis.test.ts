import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { FakeHub, fault, value } from '../../../test/support/fake-hub.ts';
import { openFakeSession } from '../../../test/support/open-fake-session.ts';
import { HubTransportError } from '../faults.ts';
import type { HubSession } from '../session/session.ts';
import { encodeCall, type RpcValue } from '../xmlrpc/codec.ts';
import { decodeCall, decodeResponse } from '../xmlrpc/decode.ts';
import { BuildrootsApi } from './buildroots.ts';
import { BuildsApi } from './builds.ts';
import { HostApi } from './host.ts';
import { ReposApi } from './repos.ts';
import { taskStates } from './schema.ts';
import { SubtasksApi } from './subtasks.ts';

let hub: FakeHub;
let clock: FakeClock;
let session: HubSession;

beforeEach(async () => {
  hub = await FakeHub.start();
  clock = new FakeClock();
  session = await openFakeSession(hub, clock);
  hub.on('host.getID', value(3)).on('host.setTaskWeight', value(null));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
});

const task = (more: Record<string, RpcValue> = {}): Record<string, RpcValue> => ({
  id: 5,
  state: taskStates.open,
  method: 'buildArch',
  arch: 'x86_64',
  host_id: 3,
  owner: 1,
  parent: 4,
  label: 'x86_64',
  channel_id: 1,
  priority: 19,
  weight: 1.5,
  create_ts: 1795161982.63,
  ...more,
});
const methods = (): string[] => hub.seen.slice(1).map(({ method }) => method);
const lost = fault(1009, 'unable to retry call');

describe('HostApi', () => {
  it('opens a task and decodes its parameters', async () => {
    const request = encodeCall('buildArch', ['a.src.rpm', 7, 'x86_64', true, { repo_id: 9 }]);
    hub.on('host.openTask', value(task({ request })));

    const opened = await new HostApi(session).openTask(5);

    expect(opened).toMatchObject({ id: 5, method: 'buildArch', hostId: 3, parentId: 4, weight: 1.5 });
    expect(opened?.request).toEqual(['a.src.rpm', 7, 'x86_64', true, { repo_id: 9 }]);
  });

  it('finds that it has opened a task although the answer was lost', async () => {
    hub.on('host.openTask', lost).on('getTaskInfo', value(task({ request: ['a.src.rpm'] })));

    const opened = await new HostApi(session).openTask(5);

    expect(opened).toMatchObject({ id: 5, request: ['a.src.rpm'] });
    expect(hub.seen.find(({ method }) => method === 'getTaskInfo')?.keywords).toEqual({ request: true });
  });

  it('leaves a task alone that another host has opened meanwhile', async () => {
    hub.on('host.openTask', 'drop', value(null));
    hub.on('getTaskInfo', value(task({ host_id: 8, request: [] })));

    expect(await new HostApi(session).openTask(5)).toBeNull();
  });

  it('closes a task with a complete document', async () => {
    hub.on('host.closeTask', value(null));

    await new HostApi(session).closeTask(5, { rpms: ['a'], brootid: 7 });

    const document = String(hub.seen[1]?.params[1]);
    expect(document.startsWith("<?xml version='1.0'?>")).toBe(true);
    expect(decodeResponse(document)).toEqual({ rpms: ['a'], brootid: 7 });
  });

  it('fails a task with a fault whose message may hold anything', async () => {
    hub.on('host.failTask', value(null));

    await new HostApi(session).failTask(5, { code: 1005, message: '\u001b[1mno <rule>' });

    expect(() => decodeResponse(String(hub.seen[1]?.params[1]))).toThrow('\ufffd[1mno <rule>');
  });

  it('takes a closed task for closed when the answer was lost, a cancelled one not', async () => {
    const api = new HostApi(session);
    hub.on('host.closeTask', lost, 'drop', fault(1004, 'host 3 does not own task 5'));
    hub.on(
      'getTaskInfo',
      value(task({ state: taskStates.closed })),
      value(task({ state: taskStates.canceled })),
    );

    await expect(api.closeTask(5, null)).resolves.toBeUndefined();
    await expect(api.closeTask(5, null)).rejects.toMatchObject({ faultCode: 1004 });
  });

  it('asks for tasks again when the answer was lost', async () => {
    const row = {
      id: 6,
      method: 'sleep',
      arch: 'noarch',
      channel_id: 1,
      priority: 20,
      create_ts: 1.5,
      state: 4,
    };
    hub.on('host.getTasks', lost, value([row]));

    expect(await new HostApi(session).assignedTasks()).toMatchObject([
      { id: 6, method: 'sleep', priority: 20 },
    ]);
    expect(hub.numbered).toEqual(['0 host.getTasks', '1 host.getTasks']);
  });

  it('checks in with a load that is a double, and counts a lost answer as done', async () => {
    hub.on('host.updateHost', lost);

    await new HostApi(session).updateHost(2, true, { methods: ['build'], maxjobs: 10 });

    expect(hub.seen[1]?.body.toString()).toContain('<double>2.0</double>');
    expect(hub.seen[1]).toMatchObject({
      params: [2, true],
      keywords: { data: { methods: ['build'], maxjobs: 10 } },
    });
  });

  it('reads hosts and held tasks', async () => {
    const row = { id: 3, name: 'b1', user_id: 9, arches: 'x86_64 i686', capacity: 4, task_load: 0 };
    hub.on('host.getHost', value({ ...row, enabled: true, ready: false, comment: null }));
    hub.on(
      'host.getHostTasks',
      value([
        { id: 5, waiting: null, weight: 1.5 },
        { id: 6, waiting: true, weight: 1, alert: true },
      ]),
    );
    const api = new HostApi(session);

    expect(await api.host()).toMatchObject({ userId: 9, arches: ['x86_64', 'i686'] });
    expect(await api.heldTasks()).toEqual([
      { id: 5, waiting: false, weight: 1.5, alert: false },
      { id: 6, waiting: true, weight: 1, alert: true },
    ]);
  });
});

describe('SubtasksApi', () => {
  it('repeats a labelled subtask whose answer was lost', async () => {
    hub.on('host.subtask', lost, value(77));

    const id = await new SubtasksApi(session).subtask({
      method: 'buildArch',
      arglist: [1],
      parent: 5,
      label: 'x86_64',
    });

    expect(id).toBe(77);
    expect(hub.seen[1]?.keywords).toEqual({ method: 'buildArch', arglist: [1], parent: 5, label: 'x86_64' });
  });

  it('finds an unlabelled one among the children instead of making another', async () => {
    const waitrepo = { method: 'waitrepo', label: null, request: [3, null, null, 4] };
    hub.on('host.subtask', 'drop');
    hub.on('getTaskInfo', value(task()));
    hub.on(
      'getTaskChildren',
      value([task({ id: 80, ...waitrepo, request: [9] }), task({ id: 81, ...waitrepo }), task({ id: 82 })]),
    );

    const id = await new SubtasksApi(session).subtask({
      method: 'waitrepo',
      arglist: [3, null, null, 4],
      parent: 5,
    });

    expect(id).toBe(81);
    expect(methods()).toEqual(['host.subtask', 'getTaskInfo', 'host.setTaskWeight', 'getTaskChildren']);
  });

  it('makes an unlabelled one again when it is not among the children', async () => {
    hub
      .on('host.subtask', 'drop', value(90))
      .on('getTaskInfo', value(task()))
      .on('getTaskChildren', value([]));

    expect(await new SubtasksApi(session).subtask({ method: 'waitrepo', arglist: [], parent: 5 })).toBe(90);
  });

  it('gives results by child and throws the fault of one that failed', async () => {
    const api = new SubtasksApi(session);
    hub.on('host.taskWait', value([[6], [7]]));
    hub.on('host.taskWaitResults', value([[6, ['a']]]), fault(1005, 'build failed'));

    expect(await api.taskWait(5)).toEqual({ finished: [6], unfinished: [7] });
    expect([...(await api.taskWaitResults(5, [6]))]).toEqual([[6, ['a']]]);
    await expect(api.taskWaitResults(5, [6])).rejects.toMatchObject({ faultCode: 1005 });
  });

  it('takes a lost answer that is the fault of a child for that in the end', async () => {
    hub.on('host.taskWaitResults', ...Array.from({ length: 6 }, () => lost));

    await expect(new SubtasksApi(session).taskWaitResults(5, [6])).rejects.toMatchObject({ faultCode: 1009 });

    expect(methods()).toEqual(Array.from({ length: 6 }, () => 'host.taskWaitResults'));
  });
});

describe('BuildrootsApi', () => {
  const rpm = {
    name: 'bash',
    version: '5',
    release: '1',
    epoch: null,
    arch: 'x86_64',
    size: 3_000_000_000,
    buildtime: 1,
    payloadhash: 'ab',
    id: 4,
  };

  it('finds the buildroot whose answer was lost', async () => {
    const root = {
      id: 31,
      state: 0,
      arch: 'x86_64',
      host_id: 3,
      task_id: 5,
      repo_id: 9,
      tag_name: 'f43-build',
    };
    hub.on('host.newBuildRoot', lost).on('listBuildroots', value([root, { ...root, id: 30, arch: 'i686' }]));

    expect(await new BuildrootsApi(session).newBuildRoot(9, 'x86_64', 5)).toBe(31);
    expect(hub.seen.at(-1)?.keywords).toEqual({ taskID: 5, state: [0] });
  });

  it('counts what the hub has listed instead of listing twice', async () => {
    hub.on('host.setBuildRootList', 'drop', value(null)).on('getTaskInfo', value(task()));
    hub.on('listRPMs', value(1), value(0));
    const api = new BuildrootsApi(session);

    await api.setBuildRootList(31, [rpm], 5);
    hub.on('host.setBuildRootList', 'drop', value(null));
    await api.setBuildRootList(31, [rpm], 5);

    expect(methods().filter((method) => method === 'host.setBuildRootList')).toHaveLength(3);
    expect(hub.seen[1]).toMatchObject({ params: [31, [rpm]], keywords: { task_id: 5 } });
  });

  it('sets states by name', async () => {
    hub.on('host.setBuildRootState', value(null));

    await new BuildrootsApi(session).setBuildRootState(31, 'building');

    expect(hub.seen[1]?.params).toEqual([31, 'BUILDING']);
  });
});

describe('BuildsApi', () => {
  const files = { srpm: 's', rpms: ['r'], logs: new Map([['x86_64', ['l']]]) };
  const build = {
    id: 12,
    name: 'hello',
    version: '1',
    release: '1',
    epoch: null,
    nvr: 'hello-1-1',
    state: 1,
  };
  const row = { ...build, task_id: 5, owner_id: 1, owner_name: 'me', package_id: 2 };

  it("names a build's fields in kojid's order, which the hub repeats when it refuses the build", async () => {
    hub.on('host.initBuild', value(12));
    const { name, version, release, epoch } = build;

    await new BuildsApi(session).initBuild({
      draft: true,
      extra: null,
      source: 's',
      taskId: 5,
      epoch,
      release,
      version,
      name,
    });

    const [sent] = hub.seen[1]?.params ?? [];
    expect(JSON.stringify(sent)).toBe(
      '{"name":"hello","version":"1","release":"1","epoch":null,"task_id":5,"source":"s","extra":null,"draft":true}',
    );
  });

  it('takes a completed build for done when the answer was lost, after waiting for the hub', async () => {
    hub.on('host.completeBuild', 'drop').on('getTaskInfo', value(task())).on('getBuild', value(row));

    await new BuildsApi(session).completeBuild(5, 12, files, new Map([['r', 31]]));

    expect(methods()).toEqual(['host.completeBuild', 'getTaskInfo', 'host.setTaskWeight', 'getBuild']);
    expect(hub.seen[1]).toMatchObject({
      params: [5, 12, 's', ['r'], { r: 31 }],
      keywords: { logs: { x86_64: ['l'] } },
    });
  });

  it('fails when the build is not complete after a lost answer', async () => {
    hub
      .on('host.completeBuild', 'drop')
      .on('getTaskInfo', value(task()))
      .on('getBuild', value({ ...row, state: 0 }));

    await expect(new BuildsApi(session).completeBuild(5, 12, files, new Map())).rejects.toBeInstanceOf(
      HubTransportError,
    );
  });

  it('asks whether scratch files arrived when the answer was lost', async () => {
    hub.on('host.moveBuildToScratch', { status: 504, body: 'timeout' }).on('getTaskInfo', value(task()));
    const api = new BuildsApi(session);

    await expect(api.moveBuildToScratch(5, files, async () => true)).resolves.toBeUndefined();
    await expect(api.moveBuildToScratch(5, files, async () => false)).rejects.toMatchObject({ status: 504 });
  });

  it('takes a build in the tag for tagged when the answer was lost', async () => {
    hub
      .on('host.tagBuild', 'drop', fault(1003, 'already tagged'))
      .on('listTags', value([{ id: 2, name: 'f43' }]));

    await new BuildsApi(session).tagBuild(5, 'f43', 12, { force: false, fromtag: null });

    expect(methods()).toEqual(['host.tagBuild', 'host.tagBuild', 'listTags']);
  });
});

describe('ReposApi', () => {
  const repo = {
    id: 9,
    state: 0,
    tag_id: 2,
    tag_name: 'f43-build',
    create_event: 30,
    task_id: 5,
    opts: { src: false },
  };

  it('watches the repo after a lost answer until it is ready', async () => {
    hub.on('host.repoDone', 'drop').on('repoInfo', value(repo), value(repo), value({ ...repo, state: 1 }));
    hub.on('checkUpload', value(null));

    await new ReposApi(session, clock).repoDone(
      9,
      new Map([['x86_64', { uploadPath: 'tasks/6/6', files: ['a'] }]]),
    );

    expect(hub.seen[1]?.params).toEqual([9, { x86_64: ['tasks/6/6', ['a']] }]);
    expect(clock.slept).toEqual([5000, 5000]);
  });

  it('finishes the repo again when no file has left its place', async () => {
    hub.on('host.repoDone', 'drop', value(null)).on('repoInfo', value(repo));
    hub.on('checkUpload', value({ size: 3, mtime: 1.5 }));

    await new ReposApi(session, clock).repoDone(
      9,
      new Map([['x86_64', { uploadPath: 'tasks/6/6', files: ['a'] }]]),
    );

    expect(methods()).toEqual(['host.repoDone', 'repoInfo', 'checkUpload', 'host.repoDone']);
  });

  it('gives up a repo that does not become ready', async () => {
    hub.on('host.repoDone', 'drop').on('repoInfo', value(repo));

    await expect(new ReposApi(session, clock).repoDone(9, new Map())).rejects.toMatchObject({
      reason: 'dropped',
    });
    expect(clock.slept).toHaveLength(120);
  });

  it('finds the repo it has begun although the answer was lost', async () => {
    hub.on('host.repoInit', lost).on('getRepo', value(repo));

    const begun = await new ReposApi(session, clock).repoInit(2, { taskId: 5, opts: {} });

    expect(begun).toEqual({ repoId: 9, eventId: 30 });
    expect(hub.seen.at(-1)?.keywords).toEqual({ state: 0 });
  });

  it('keeps the whole row of a repo, to be passed on', async () => {
    hub.on('repo.request', value({ repo: { ...repo, begin_ts: 1.5 }, request: null, duplicate: true }));

    const { repo: found } = await new ReposApi(session, clock).requestRepo(2, { minEvent: 'last' });

    expect(found).toMatchObject({ id: 9, createEvent: 30, row: { ...repo, begin_ts: 1.5 } });
    expect(decodeCall(encodeCall('createrepo', [found?.row ?? null])).params).toEqual([
      { ...repo, begin_ts: 1.5 },
    ]);
  });
});
