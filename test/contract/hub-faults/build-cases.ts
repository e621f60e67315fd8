import { expect } from 'vitest';
import { z } from 'zod';
import { buildrootState, buildState, repoState } from '../../../src/devhub/rows.ts';
import type { BuildrootPackage } from '../../../src/hub/api/buildroots.ts';
import { buildData, completeBuild, type PreparedBuild, prepareBuild } from '../hub/build-files.ts';
import { buildTag, target, unique } from '../hub/fixture.ts';
import { type CallCase, type FaultBench, unheard } from './fault-bench.ts';

const Row = z.looseObject({ id: z.int(), state: z.int(), task_id: z.int().nullish() });

async function buildStateOf({ fixture }: FaultBench, id: number): Promise<number> {
  return Row.parse(await fixture.admin.call('getBuild', [id])).state;
}

async function tagsOf({ fixture }: FaultBench, build: number): Promise<readonly string[]> {
  const rows = await fixture.admin.call('listTags', [build]);
  return z
    .array(z.looseObject({ name: z.string() }))
    .parse(rows)
    .map(({ name }) => name);
}

const filesOf = ({ srpm, rpm, log }: PreparedBuild) => ({
  srpm,
  rpms: [rpm],
  logs: new Map([['noarch', [log]]]),
});

/** A package the hub has built, and a buildroot that may list it. */
async function buildrootWith(bench: FaultBench, state: 'INIT' | 'BUILDING') {
  const { fixture } = bench;
  const build = await prepareBuild(fixture);
  await completeBuild(fixture, build);
  await fixture.builder.call('host.tagBuild', [build.task, target, build.buildId]);
  const { id: repo } = await fixture.newRepo();
  const lines =
    (await fixture.file(`repos/${buildTag}/${repo}/x86_64/rpmlist.jsonl`))?.trim().split('\n') ?? [];
  const rows = lines.map((line) => PackageRow.parse(JSON.parse(line)));
  const rpm = rows.find(({ name }) => name === build.name);
  if (rpm === undefined) throw new Error('the repo does not list the package that was tagged');
  const answer = await fixture.builder.call('host.newBuildRoot', [repo, 'x86_64'], { task_id: build.task });
  const buildroot = z.int().parse(answer);
  if (state === 'BUILDING') await fixture.builder.call('host.setBuildRootState', [buildroot, state]);
  const listed = async () => {
    const found = await fixture.user.call('listBuildroots', [], { rpmID: rpm.id });
    return z
      .array(Row)
      .parse(found)
      .filter(({ id }) => id === buildroot).length;
  };
  return { task: build.task, repo, buildroot, rpm, listed };
}

const PackageRow: z.ZodType<BuildrootPackage & { readonly id: number }> = z.object({
  id: z.int(),
  name: z.string(),
  version: z.string(),
  release: z.string(),
  arch: z.string(),
  epoch: z.int().nullable(),
  size: z.int(),
  buildtime: z.int(),
  payloadhash: z.string(),
});

/** Calls about buildroots, builds and repos. */
export const buildCases: readonly CallCase[] = [
  {
    method: 'host.newBuildRoot',
    async prepare(bench) {
      const { fixture } = bench;
      const { id: repo } = await fixture.newRepo();
      const task = await fixture.openTask();
      let given = 0;
      return {
        async call(apis) {
          given = await apis.buildroots.newBuildRoot(repo, 'x86_64', task);
        },
        answer: undefined,
        async state() {
          const rows = await fixture.admin.call('listBuildroots', [], { taskID: task });
          return z
            .array(Row)
            .parse(rows)
            .map(({ id }) => id === given);
        },
        after: [true],
      };
    },
  },
  {
    method: 'host.setBuildRootList',
    async prepare(bench) {
      const { task, buildroot, rpm, listed } = await buildrootWith(bench, 'INIT');
      return {
        call: (apis) => apis.buildroots.setBuildRootList(buildroot, [rpm], task),
        answer: undefined,
        state: listed,
        after: 1,
      };
    },
  },
  {
    method: 'host.updateBuildRootList',
    async prepare(bench) {
      const { task, buildroot, rpm, listed } = await buildrootWith(bench, 'BUILDING');
      return {
        call: (apis) => apis.buildroots.updateBuildRootList(buildroot, [rpm], task),
        answer: undefined,
        state: listed,
        after: 1,
      };
    },
  },
  {
    // Asked where the answer of setBuildRootList was lost.
    method: 'listRPMs',
    async prepare(bench) {
      const { task, buildroot, rpm, listed } = await buildrootWith(bench, 'INIT');
      return {
        async call(apis, session) {
          await apis.buildroots.setBuildRootList(buildroot, [rpm], task);
          return session.call('listRPMs', [], z.int(), {
            keywords: { componentBuildrootID: buildroot, queryOpts: { countOnly: true } },
          });
        },
        answer: 1,
        state: listed,
        after: 1,
      };
    },
  },
  {
    method: 'host.setBuildRootState',
    async prepare(bench) {
      const { buildroot } = await buildrootWith(bench, 'BUILDING');
      return {
        call: (apis) => apis.buildroots.setBuildRootState(buildroot, 'expired'),
        answer: undefined,
        async state() {
          const rows = await bench.fixture.admin.call('listBuildroots', [], { buildrootID: buildroot });
          return z
            .array(Row)
            .parse(rows)
            .map(({ state }) => state);
        },
        after: [buildrootState.EXPIRED],
      };
    },
  },
  {
    method: 'host.initBuild',
    async prepare(bench) {
      const { fixture } = bench;
      const task = await fixture.openTask();
      const { task_id: taskId, ...data } = buildData(unique('contract'), task);
      let given = 0;
      return {
        async call(apis) {
          given = await apis.builds.initBuild({ ...data, taskId });
        },
        answer: undefined,
        async state() {
          const row = await fixture.admin.call('getBuild', [`${data.name}-1.0-1`]);
          return row === null ? null : Row.parse(row).id === given && Row.parse(row).task_id === task;
        },
        after: true,
      };
    },
  },
  {
    method: 'host.completeBuild',
    givenUp: unheard,
    async prepare(bench) {
      const build = await prepareBuild(bench.fixture);
      return {
        call: (apis) => apis.builds.completeBuild(build.task, build.buildId, filesOf(build), new Map()),
        answer: undefined,
        state: () => buildStateOf(bench, build.buildId),
        after: buildState.COMPLETE,
      };
    },
  },
  {
    method: 'host.failBuild',
    async prepare(bench) {
      const build = await prepareBuild(bench.fixture);
      return {
        call: (apis) => apis.builds.failBuild(build.task, build.buildId),
        answer: undefined,
        state: () => buildStateOf(bench, build.buildId),
        after: buildState.FAILED,
      };
    },
  },
  {
    method: 'host.moveBuildToScratch',
    givenUp: unheard,
    async prepare(bench) {
      const { fixture } = bench;
      const build = await prepareBuild(fixture);
      const place = `scratch/${fixture.hub.admin.name}/task_${build.task}`;
      const arrived = async () => (await fixture.file(`${place}/${build.nvr}.noarch.rpm`)) !== undefined;
      return {
        call: (apis) => apis.builds.moveBuildToScratch(build.task, filesOf(build), arrived),
        answer: undefined,
        state: arrived,
        after: true,
      };
    },
  },
  {
    method: 'host.tagBuild',
    async prepare(bench) {
      const build = await prepareBuild(bench.fixture);
      await completeBuild(bench.fixture, build);
      return {
        call: (apis) =>
          apis.builds.tagBuild(build.task, target, build.buildId, { force: false, fromtag: null }),
        answer: undefined,
        state: () => tagsOf(bench, build.buildId),
        after: [target],
      };
    },
  },
  {
    // Asked where the answer of tagBuild was lost.
    method: 'listTags',
    async prepare(bench) {
      const build = await prepareBuild(bench.fixture);
      await completeBuild(bench.fixture, build);
      return {
        async call(apis, session) {
          await apis.builds.tagBuild(build.task, target, build.buildId, { force: false, fromtag: null });
          const Names = z.array(z.looseObject({ name: z.string() }));
          return (await session.call('listTags', [build.buildId], Names)).map(({ name }) => name);
        },
        answer: [target],
      };
    },
  },
  {
    method: 'host.tagNotification',
    async prepare(bench) {
      const build = await prepareBuild(bench.fixture);
      await completeBuild(bench.fixture, build);
      return {
        call: (apis) =>
          apis.builds.tagNotification(
            { succeeded: true, ignoreSuccess: true },
            target,
            null,
            build.buildId,
            null,
          ),
        answer: undefined,
      };
    },
  },
  {
    method: 'host.repoInit',
    async prepare(bench) {
      const { fixture } = bench;
      const task = await fixture.openTask();
      const tag = Row.pick({ id: true }).parse(await fixture.admin.call('getTag', [buildTag])).id;
      let given = 0;
      return {
        async call(apis) {
          given = (await apis.repos.repoInit(tag, { taskId: task, opts: {} })).repoId;
        },
        answer: undefined,
        async state() {
          const row = await fixture.admin.call('getRepo', [buildTag], { state: repoState.INIT });
          const repo = row === null ? null : Row.parse(row);
          return repo?.task_id === task && repo.id === given;
        },
        after: true,
      };
    },
  },
  {
    method: 'host.repoDone',
    async prepare(bench) {
      const { fixture } = bench;
      const { id: repo } = await fixture.newRepo();
      const task = await fixture.openTask();
      const name = 'repomd.xml';
      const path = await fixture.upload(task, name, '<repomd/>');
      const data = new Map([['x86_64', { uploadPath: path.slice(0, path.lastIndexOf('/')), files: [name] }]]);
      return {
        call: (apis) => apis.repos.repoDone(repo, data),
        answer: undefined,
        state: async () => [
          Row.parse(await fixture.admin.call('repoInfo', [repo])).state,
          await fixture.file(`repos/${buildTag}/${repo}/x86_64/repodata/${name}`),
        ],
        after: [repoState.READY, '<repomd/>'],
      };
    },
  },
  {
    method: 'repo.request',
    async prepare(bench) {
      // A change of the tag, of which there is no repo yet.
      await bench.fixture.hub.ensurePackage(target, unique('contract'));
      const { id } = z.looseObject({ id: z.int() }).parse(await bench.fixture.admin.call('getLastEvent'));
      const tag = Row.pick({ id: true }).parse(await bench.fixture.admin.call('getTag', [buildTag])).id;
      const ids = new Set<number | undefined>();
      return {
        async call(apis) {
          ids.add((await apis.repos.requestRepo(tag, { atEvent: id })).request?.id);
          ids.add((await apis.repos.requestRepo(tag, { atEvent: id })).request?.id);
          return [...ids];
        },
        answer: [expect.any(Number)],
      };
    },
  },
];
