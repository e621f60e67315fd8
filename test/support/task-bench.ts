import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BuildrootHost } from '../../src/buildroot/host.ts';
import { loadConfig } from '../../src/config/load.ts';
import { BackgroundRemovals } from '../../src/container/background-removals.ts';
import type { FakeBehaviour } from '../../src/container/fake/behaviour.ts';
import { FakeRuntime } from '../../src/container/fake/fake-runtime.ts';
import type { ContainerSpec } from '../../src/container/spec.ts';
import type { Clock } from '../../src/core/clock.ts';
import { noMeter } from '../../src/core/meter.ts';
import { Waits } from '../../src/core/waits.ts';
import { hubApis } from '../../src/hub/api/apis.ts';
import { HubFiles } from '../../src/hub/files.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import { noHistory } from '../../src/journal/history.ts';
import { TaskLogs } from '../../src/logs/task-logs.ts';
import { PolicyResolver } from '../../src/policy/resolver.ts';
import { TaskSteps } from '../../src/steps/task-steps.ts';
import type { TaskAdapter, TaskContext } from '../../src/tasks/adapter.ts';
import { decodeParams } from '../../src/tasks/params.ts';
import { RepoNews } from '../../src/tasks/repo-news.ts';
import { toTaskSettings } from '../../src/tasks/settings.ts';
import { Subtasks } from '../../src/tasks/subtasks.ts';
import { TaskUploads } from '../../src/upload/task-uploads.ts';
import { hostRow, repoRow, tagRow, taskRow } from './hub-rows.ts';
import { ManualClock } from './manual-clock.ts';
import { memoryFiles } from './memory-files.ts';
import { emptyCache, noStepLimits, site } from './root-bench.ts';
import { ScriptedSession } from './scripted-session.ts';
import { keptLog, silentLog } from './silent-log.ts';

export interface BenchOptions {
  readonly method?: string;
  readonly arch?: string;
  /** Lines of kojid.conf. */
  readonly kojid?: readonly string[];
  /** Environment of the daemon. */
  readonly env?: Readonly<Record<string, string>>;
  /** Rules of the operator's site file. */
  readonly site?: readonly object[];
  readonly clock?: Clock;
  readonly stepLimits?: BuildrootHost['stepLimits'];
  /** How containers behave, given the task's directory and that of the host's packages. */
  readonly behave?: (directory: string, packages: string) => (spec: ContainerSpec) => FakeBehaviour;
}

const image = 'localhost/image:x86_64';

/** All that task 5 needs around it, with a hub that answers what the test says. It goes when the test ends. */
export async function openTaskBench(options: BenchOptions = {}) {
  const { method = 'm', arch = 'noarch', clock = new ManualClock(), behave } = options;
  const place = await mkdtemp(join(tmpdir(), 'task-'));
  const directory = join(place, 'work/tasks/5/5');
  const topDir = join(place, 'koji');
  await mkdir(join(directory, 'logs'), { recursive: true });
  await mkdir(join(topDir, 'repos'), { recursive: true });

  const session = new ScriptedSession()
    .on('getTaskInfo', taskRow())
    .on('getBuildConfig', tagRow())
    .on('repoInfo', repoRow())
    .on('host.getHost', hostRow())
    .on('getExternalRepoList', []);
  const found = { id: 'i', digest: 'sha256:0', arch: 'x86_64' };
  const containers = new FakeRuntime({
    clock,
    images: { [image]: found, 'localhost/other:1': found },
    ...(behave !== undefined && { behave: behave(directory, join(place, 'cache/packages')) }),
  });
  const cache = emptyCache(containers.ports, place);
  const removals = new BackgroundRemovals(silentLog);
  const { log, lines } = keptLog();
  const cleanup = new AsyncDisposableStack();
  const abort = new AbortController();
  const waits = new Waits(clock);
  const hub = hubApis(session, clock);
  const outputs = new TaskUploads(session, clock, 5);
  const logs = new TaskLogs(join(directory, 'logs'), (path, name) => outputs.openLog(path, name), clock, log);
  const wake = { next: () => new Promise<void>((resolve) => setImmediate(resolve)) };
  const started: string[] = [];
  const childMade = () => started.push('child');
  const buildrootHost: BuildrootHost = {
    meter: noMeter,
    network: { caBundle: 'AUTHORITIES\n', proxies: { http_proxy: 'http://proxy:3128' } },
    log,
    waits,
    stepLimits: options.stepLimits ?? noStepLimits,
    ...containers.ports,
    clock,
    site,
    workerId: 'builder',
    hostname: 'builder.example.com',
    localTime: null,
    limits: { pids: 100, memoryBytes: 1000 },
    labels: {},
    cache,
    removals,
    codeLimits: {},
    extraMounts: [],
  };
  const context: TaskContext = {
    task: { id: 5, method, arch },
    signal: abort.signal,
    log,
    clock,
    hub,
    steps: new TaskSteps({
      runtime: containers,
      history: noHistory,
      cleanup,
      removals,
      clock,
      waits: waits.of(5),
      log,
    }),
    logs,
    outputs,
    settings: toTaskSettings(toConfig(options, topDir)),
    files: new HubFiles([], topDir),
    directory: { absolute: directory, work: 'tasks/5/5' },
    history: noHistory,
    waits: waits.of(5),
    repoNews: new RepoNews(),
    buildrootHost,
    containerDefaults: buildrootHost,
    policy: new PolicyResolver(
      {
        enabled: true,
        defaultImage: 'localhost/image:<arch>',
        defaultPull: 'never',
        cacheTtlMs: 0,
        mockBootstrapImage: false,
      },
      async () => ({}),
      clock,
    ),
    subtasks: new Subtasks(5, hub.subtasks, wake, abort.signal, { childMade }, silentLog),
    cleanup,
    random: () => 0,
  };
  const tidyUp = async () => {
    await cleanup.disposeAsync();
    await logs.abandon();
    await removals.idle();
    containers.assertClean();
  };
  onTestFinished(async () => {
    await tidyUp();
    await rm(place, { recursive: true, force: true });
  });
  return {
    context,
    session,
    containers,
    abort,
    lines,
    directory,
    topDir,
    tidyUp,
    /** Runs the task with a request as the hub stores it. */
    run: <P>(adapter: TaskAdapter<P>, ...request: RpcValue[]): Promise<RpcValue> => {
      const params = decodeParams(method, adapter.signature, request);
      return adapter.run(params, context);
    },
    /** Puts a file into the hub's tree. */
    put: async (path: string, content: Uint8Array | string): Promise<void> => {
      await mkdir(dirname(join(topDir, path)), { recursive: true });
      await writeFile(join(topDir, path), content);
    },
    /** Lets children succeed: their results by label, or by method where they have none. Ids are 101 and on. */
    children: (results: Readonly<Record<string, RpcValue>>): void => letChildrenSucceed(session, results),
  };
}

export type TaskBench = Awaited<ReturnType<typeof openTaskBench>>;

function letChildrenSucceed(session: ScriptedSession, results: Readonly<Record<string, RpcValue>>): void {
  const names: string[] = [];
  session
    .on('host.subtask', ({ keywords: { label, method } }) => 100 + names.push(String(label ?? method)))
    .on('host.taskSetWait', null)
    .on('host.taskWait', [[], []])
    .on('host.taskWaitResults', ({ params: [, ids] }) => {
      if (!Array.isArray(ids)) throw new Error('no list of children');
      return ids.map((id: number) => [id, results[names[id - 101] ?? ''] ?? null]);
    });
}

function toConfig({ kojid = [], env = {}, site: rules }: BenchOptions, topDir: string) {
  const text = ['[kojid]', 'server = http://hub/kojihub', 'topurl = http://hub/files', `topdir = ${topDir}`];
  const siteLine = rules === undefined ? [] : ['adjutant_site_file = /site.json'];
  const all = [...text, 'user = b', 'password = p', ...siteLine, ...kojid].join('\n');
  const files = memoryFiles({
    '/etc/kojid.conf': all,
    '/tmp/koji': null,
    [topDir]: null,
    '/site.json': JSON.stringify({ version: '1.0', rules: rules ?? [] }),
  });
  return loadConfig({ configPath: '/etc/kojid.conf', env, files });
}
