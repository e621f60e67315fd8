import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { BackgroundRemovals } from '../../src/container/background-removals.ts';
import type { FakeRuntime } from '../../src/container/fake/fake-runtime.ts';
import type { Clock } from '../../src/core/clock.ts';
import { noMeter } from '../../src/core/meter.ts';
import { Waits } from '../../src/core/waits.ts';
import type { TaskEnvironment } from '../../src/daemon/run/task-runner.ts';
import { HubFiles } from '../../src/hub/files.ts';
import { PolicyResolver } from '../../src/policy/resolver.ts';
import { RepoNews } from '../../src/tasks/repo-news.ts';
import { memoryFiles } from './memory-files.ts';
import { emptyCache, noStepLimits } from './root-bench.ts';
import { silentLog } from './silent-log.ts';

/** What tasks share, around a work directory that goes when the test ends. */
export async function makeTaskEnvironment(clock: Clock, containers: FakeRuntime): Promise<TaskEnvironment> {
  const workDir = await mkdtemp(join(tmpdir(), 'adjutant-'));
  onTestFinished(() => rm(workDir, { recursive: true, force: true }));
  await mkdir(join(workDir, 'tasks'));
  const text = `[kojid]\nserver = http://hub/kojihub\ntopurl = http://hub/files\nworkdir = ${workDir}\nuser = b\npassword = p\n`;
  const files = memoryFiles({ '/etc/kojid.conf': text, [workDir]: null });
  const config = loadConfig({ configPath: '/etc/kojid.conf', env: {}, files });
  const policySettings = {
    enabled: false,
    defaultImage: 'localhost/root:1',
    defaultPull: 'never',
    cacheTtlMs: 0,
    mockBootstrapImage: false,
  } as const;
  return {
    config,
    clock,
    runtime: containers,
    buildrootHost: {
      ...containers.ports,
      clock,
      workerId: 'builder',
      meter: noMeter,
      network: { caBundle: null, proxies: {} },
      log: silentLog,
      waits: new Waits(clock),
      stepLimits: noStepLimits,
      hostname: 'builder.example.com',
      localTime: null,
      site: {
        vendor: 'V',
        packager: 'P',
        distribution: 'D',
        mockHost: 'koji-linux-gnu',
        buildHost: 'builder.example.com',
        proxy: null,
        rpmbuildTimeoutSeconds: 60,
      },
      limits: { pids: 100, shmBytes: 1024 },
      labels: {},
      cache: emptyCache(containers.ports, workDir),
      codeLimits: {},
      removals: new BackgroundRemovals(silentLog),
      extraMounts: [],
    },
    policy: new PolicyResolver(policySettings, async () => ({}), clock),
    files: new HubFiles(config.kojid.topurl, config.kojid.topdir),
    repoNews: new RepoNews(),
    workDir,
    random: () => 0,
  };
}
