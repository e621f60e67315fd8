import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { ensureHost } from '../../src/devhub/hub.ts';
import { buildrootState, stateName } from '../../src/devhub/rows.ts';
import { type RunningDevHub, runDevHub } from '../../src/devhub/run.ts';
import { type SeedOptions, seedDevHub } from '../../src/devhub/seed.ts';
import type { TestHub } from './builder.ts';
import { arch, surroundings } from './surroundings.ts';

const channel = 'e2e';
/** Where a suite and another test run use the same engine, their builders must not take each other's containers for theirs. */
const builderName = () => `e2e-${randomBytes(4).toString('hex')}`;
const client = { name: 'e2e-client', password: 'e2e-client-pw' };

/** A development hub with the test distribution in the target `td1`, as the tests want it. */
export interface DevTestHub extends TestHub {
  /** The hub itself, to change what no client can change. */
  readonly running: RunningDevHub;
}

/** `from`: where the build tag has the distribution from, if it is not imported. */
export async function openDevHub(from: Pick<SeedOptions, 'externalRepo'> = {}): Promise<DevTestHub> {
  const dir = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-hub-'));
  const running = await runDevHub({ dir, port: 0, clock: systemClock });
  await seedDevHub(running, {
    distroRepo: join(surroundings().distribution, 'repo'),
    tagName: 'td1',
    arches: arch,
    extra: { 'rpm.macro.dist': '.td1' },
    packages: ['hello'],
    // Everything goes to the channel of the builder that the test makes.
    builder: { name: 'unused', password: 'unused', capacity: 0 },
    client,
    ...from,
  });
  const builder = { name: builderName(), password: 'e2e-builder-pw' };
  return {
    running,
    url: running.url,
    filesUrl: running.filesUrl,
    topdir: running.topdir,
    client,
    target: 'td1',
    channel,
    builder,
    async ensureBuilder() {
      await running.change((hub) =>
        ensureHost(hub, {
          ...builder,
          arches: `${arch} noarch`,
          // Two or three tasks at a time: more would only get into each other's way.
          capacity: 2,
          channels: [channel, 'createrepo'],
        }),
      );
    },
    host: (name) =>
      running.change(({ state }) => {
        const host = state.tables.hosts.find((row) => row.name === name);
        if (host === undefined) throw new Error(`the hub has no host ${name}`);
        return { ready: host.ready, load: host.task_load, updatedMs: (host.update_time ?? 0) * 1000 };
      }),
    buildroots: (taskId) =>
      running.change(({ state: { tables } }) =>
        tables.buildroots
          .filter((row) => row.task_id === taskId)
          .map((row) => ({
            state: stateName(buildrootState, row.state),
            packages: row.rpms.map(({ rpm_id, is_update }) => {
              const { name, version, release, arch: rpmArch } = tables.rpms.mustGet(rpm_id);
              return { nvra: `${name}-${version}-${release}.${rpmArch}`, isUpdate: is_update };
            }),
          })),
      ),
    async close() {
      await running.close();
      await rm(dir, { recursive: true });
    },
  };
}
