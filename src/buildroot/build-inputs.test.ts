import { describe, expect, it } from 'vitest';
import { repoRow, tagRow } from '../../test/support/hub-rows.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import { openTaskBench } from '../../test/support/task-bench.ts';
import { never } from '../core/never.ts';
import { RepoInfo } from '../hub/api/repo-schema.ts';
import { TagInfo } from '../hub/api/schema.ts';
import type { ImageChoice } from '../policy/resolver.ts';
import { planBuild } from './build-inputs.ts';

/** Plans a build for x86_64 with what a policy says, without task and site file. */
async function plan(chosen: Partial<ImageChoice>) {
  const { context } = await openTaskBench();
  const image: ImageChoice = { image: 'localhost/image:1', pull: 'never', because: 'rules[0]', ...chosen };
  const question = {
    method: 'buildArch',
    repo: RepoInfo.parse(repoRow()),
    config: TagInfo.parse(tagRow()),
    arch: 'i686',
    packageArch: 'noarch',
    group: 'build',
  };
  const sources = {
    host: context.buildrootHost,
    tags: context.hub.tags,
    files: context.files,
    policy: { resolve: async () => image },
    settings: { mockBootstrapImage: false, networkEnabled: false },
    log: silentLog,
  };
  return planBuild(question, sources, never);
}

describe('planBuild', () => {
  it('plans with the repo of the canonical arch, and opens nothing', async () => {
    const inputs = await plan({});

    expect(inputs.content).toMatchObject({ place: 'repos/f1-build/70/i386', arch: 'i386', externals: [] });
    expect(inputs).toMatchObject({ arch: 'i686', packageArch: 'noarch', granted: [] });
  });

  it('gives a build the smaller of the limits of policy and operator', async () => {
    const { host } = await plan({ limits: { pids: 7, memoryBytes: 2000, cpus: 1 } });

    expect(host.limits).toMatchObject({ pids: 7, memoryBytes: 1000, cpus: 1 });
  });

  it('refuses a network that network_enabled forbids', async () => {
    await expect(plan({ network: true })).rejects.toThrow(
      'rules[0] asks for network, which network_enabled forbids on this host',
    );
  });
});
