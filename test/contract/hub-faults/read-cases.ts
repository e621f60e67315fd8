import { z } from 'zod';
import { encodeFault, encodeResponse } from '../../../src/hub/xmlrpc/codec.ts';
import { completeBuild, prepareBuild } from '../hub/build-files.ts';
import { accounts, buildTag, target } from '../hub/fixture.ts';
import type { CallCase, FaultBench, PreparedCall } from './fault-bench.ts';

type Call = PreparedCall['call'];

/** A call that reads: whatever happens to it, it gives what it gives undisturbed. */
function read(
  method: string,
  prepare: (bench: FaultBench) => Call | Promise<Call>,
  more: Pick<CallCase, 'realHubOnly'> = {},
): CallCase {
  return {
    method,
    reads: true,
    ...more,
    async prepare(bench) {
      const call = await prepare(bench);
      const session = await bench.session();
      return { call, answer: await call(bench.apis(session), session) };
    },
  };
}

async function closedTask({ fixture }: FaultBench): Promise<number> {
  const task = await fixture.openTask();
  await fixture.builder.call('host.closeTask', [task, encodeResponse(['a result'])]);
  return task;
}

/** A build that is complete and tagged. */
async function taggedBuild({ fixture }: FaultBench) {
  const changelog = [{ time: 1_700_000_000, author: 'A <a@example.com> - 1.0-1', text: '- made' }];
  const build = await prepareBuild(fixture, undefined, '1.0', undefined, changelog);
  await completeBuild(fixture, build);
  await fixture.builder.call('host.tagBuild', [build.task, target, build.buildId]);
  return build;
}

const tagId = async ({ fixture }: FaultBench): Promise<number> =>
  z.looseObject({ id: z.int() }).parse(await fixture.admin.call('getTag', [buildTag])).id;

/** Asks for a repo of an event that nobody makes one of, so that it stays a request. */
async function requestId({ fixture }: FaultBench): Promise<number> {
  const { id } = z.looseObject({ id: z.int() }).parse(await fixture.admin.call('getLastEvent'));
  const answer = await fixture.user.call('repo.request', [buildTag], { at_event: id });
  return z.looseObject({ request: z.looseObject({ id: z.int() }) }).parse(answer).request.id;
}

/** Everything the daemon asks of the hub that changes nothing there. */
export const readCases: readonly CallCase[] = [
  read('host.getID', () => (apis) => apis.host.hostId()),
  read('host.getHost', () => (apis) => apis.host.host()),
  read('host.getHostTasks', async (bench) => {
    const task = await bench.fixture.openTask();
    return async (apis) => (await apis.host.heldTasks()).filter(({ id }) => id === task);
  }),
  read('host.assertPolicy', () => (apis) => apis.tags.assertPolicy('build_from_srpm', { user_id: 1 })),
  read('getTaskInfo', async (bench) => {
    const task = await bench.fixture.newTask();
    return (apis) => apis.host.taskInfo(task, { request: true });
  }),
  read('getChannel', async (bench) => {
    const task = await bench.fixture.newTask();
    return (apis) => apis.host.channelOf(task);
  }),
  read('listHosts', () => async (apis) => {
    const hosts = await apis.host.enabledHosts({ channel: null, arches: 'x86_64' });
    return hosts.map(({ id }) => id).toSorted((a, b) => a - b);
  }),
  read('listChannels', async ({ fixture }) => {
    const host = await fixture.hostIdOf(fixture.builder);
    return (apis) => apis.queue.channelsOf(host);
  }),
  read('listTasks', async ({ fixture }) => {
    const host = await fixture.hostIdOf(fixture.builder);
    await fixture.newTask();
    return async (apis) => {
      const channels = await apis.queue.channelsOf(host);
      return apis.queue.waiting({ channels, arches: ['noarch'] });
    };
  }),
  read('scheduler.getTaskRefusals', async ({ fixture }) => {
    const host = await fixture.hostIdOf(fixture.builder);
    const task = await fixture.newTask({ assign: host });
    await fixture.builder.call('host.refuseTask', [task], { soft: false, msg: 'no' });
    return async (apis) => (await apis.queue.refusedBy(host)).has(task);
  }),
  read('getTaskChildren', async (bench) => {
    const parent = await bench.fixture.openTask();
    await bench.fixture.subtask(parent, { label: 'x' });
    return (apis) => apis.subtasks.taskChildren(parent);
  }),
  read('getTaskDescendents', async (bench) => {
    const parent = await bench.fixture.openTask();
    await bench.fixture.subtask(parent, { label: 'x' });
    return (apis) => apis.notifications.taskTree(parent);
  }),
  read('getTaskResult', async (bench) => {
    const task = await closedTask(bench);
    return (apis) => apis.subtasks.taskResult(task);
  }),
  read('getTaskResult', async (bench) => {
    const { fixture } = bench;
    const task = await fixture.openTask();
    await fixture.builder.call('host.failTask', [task, encodeFault(1005, 'no luck')]);
    return (apis) =>
      apis.subtasks.taskResult(task).catch((error: unknown) => `the fault itself: ${String(error)}`);
  }),
  read('listTaskOutput', async (bench) => {
    const task = await bench.fixture.openTask();
    await bench.fixture.upload(task, 'a.log', 'text');
    return (apis) => apis.notifications.taskOutput(task);
  }),
  read('getSessionInfo', () => async (apis) => (await apis.host.sessionInfo()) !== null),
  read('getKojiVersion', () => (apis) => apis.version.version()),
  read('listBuildroots', async (bench) => {
    const { id: repo } = await bench.fixture.newRepo();
    const task = await bench.fixture.openTask();
    await bench.fixture.builder.call('host.newBuildRoot', [repo, 'x86_64'], { task_id: task });
    return (apis) => apis.buildroots.listBuildroots({ taskId: task });
  }),
  read('getTag', () => (apis) => apis.tags.tag(buildTag)),
  read('getBuildTarget', () => (apis) => apis.tags.buildTarget(target)),
  read(
    'getBuildTargets',
    async (bench) => {
      const id = await tagId(bench);
      return (apis) => apis.tags.isBuildTag(id);
    },
    { realHubOnly: true },
  ),
  read('getBuildConfig', () => (apis) => apis.tags.buildConfig(buildTag)),
  read('getPackageConfig', async (bench) => {
    await bench.fixture.hub.ensurePackage(target, 'contract-listed');
    return (apis) => apis.tags.packageConfig(target, 'contract-listed');
  }),
  read('getExternalRepoList', () => (apis) => apis.tags.externalRepos(buildTag)),
  read('getFullInheritance', () => (apis) => apis.tags.fullInheritance(buildTag)),
  read('getLastEvent', () => (apis) => apis.tags.lastEvent()),
  read('getAverageBuildDuration', () => (apis) => apis.tags.averageBuildDuration('bash', 6)),
  read('getUser', () => (apis) => apis.tags.user(accounts.user.name)),
  read('getHost', async (bench) => {
    const id = await bench.fixture.hostIdOf(bench.fixture.builder);
    return (apis) => apis.notifications.hostName(id);
  }),
  read(
    'tagLastChangeEvent',
    async (bench) => {
      const id = await tagId(bench);
      return (apis) => apis.tagHistory.lastChangeEvent(id);
    },
    { realHubOnly: true },
  ),
  read(
    'tagFirstChangeEvent',
    async (bench) => {
      const id = await tagId(bench);
      return (apis) => apis.tagHistory.firstChangeEvent(id, null);
    },
    { realHubOnly: true },
  ),
  read(
    'listTagged',
    async (bench) => {
      const [{ name }, id] = [await taggedBuild(bench), await tagId(bench)];
      return (apis) => apis.tagHistory.taggedBuilds(id, name, null);
    },
    { realHubOnly: true },
  ),
  read('getBuild', async (bench) => {
    const { buildId } = await taggedBuild(bench);
    return (apis) => apis.builds.getBuild(buildId);
  }),
  read('getChangelogEntries', async (bench) => {
    const { buildId } = await taggedBuild(bench);
    return (apis) => apis.notifications.changelog(buildId, 5);
  }),
  read('repoInfo', async (bench) => {
    const { id } = await bench.fixture.newRepo();
    return (apis) => apis.repos.repoInfo(id);
  }),
  read('getRepo', async (bench) => {
    await bench.fixture.newRepo();
    return (apis) => apis.repos.getRepo(buildTag, { state: 'init' });
  }),
  read('repo.checkRequest', async (bench) => {
    const id = await requestId(bench);
    return (apis) => apis.repos.checkRequest(id);
  }),
];
