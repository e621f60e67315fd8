import { z } from 'zod';
import { HubClient } from '../../src/devhub/client.ts';
import { buildrootState, stateName } from '../../src/devhub/rows.ts';
import { openRealHub, readHubEnvironment } from '../integration/real-hub.ts';
import type { TestHub } from './builder.ts';
import { arch } from './surroundings.ts';

const Host = z.looseObject({
  id: z.int(),
  ready: z.boolean(),
  task_load: z.number(),
  update_ts: z.number().nullable(),
});
const Buildroots = z.array(z.looseObject({ id: z.int(), state: z.int() }));
const Rpms = z.array(
  z.looseObject({
    name: z.string(),
    version: z.string(),
    release: z.string(),
    arch: z.string(),
    is_update: z.boolean(),
  }),
);

/**
 * A real hub that has the test distribution in the target `td1`. The builder gets a host and a channel of its own;
 * at the end the host is disabled, for hosts cannot be removed.
 */
export async function openRealTestHub(environmentFile: string): Promise<TestHub> {
  const hub = await openRealHub(environmentFile);
  const { TOPDIR: topdir } = readHubEnvironment(environmentFile);
  if (topdir === undefined) throw new Error(`${environmentFile} does not set TOPDIR`);
  // Without a session, so that calls may overlap.
  const client = new HubClient(hub.url);
  const builder = { name: 'adjutant-e2e', password: 'adjutant-e2e-pw' };
  return {
    url: hub.url,
    filesUrl: hub.filesUrl,
    topdir,
    client: hub.admin,
    builder,
    target: 'td1',
    channel: 'adjutant-e2e',
    ensureBuilder: () => hub.ensureHost({ ...builder, arches: arch, capacity: 2, channel: 'adjutant-e2e' }),
    async host(name) {
      const { ready, task_load, update_ts } = Host.parse(await client.call('getHost', [name]));
      return { ready, load: task_load, updatedMs: (update_ts ?? 0) * 1000 };
    },
    async buildroots(taskId) {
      const found = Buildroots.parse(await client.call('listBuildroots', [], { taskID: taskId }));
      const roots = [];
      for (const { id, state } of found.toSorted((a, b) => a.id - b.id)) {
        const rpms = Rpms.parse(await client.call('listRPMs', [], { componentBuildrootID: id }));
        roots.push({
          state: stateName(buildrootState, state),
          packages: rpms.map((rpm) => ({
            nvra: `${rpm.name}-${rpm.version}-${rpm.release}.${rpm.arch}`,
            isUpdate: rpm.is_update,
          })),
        });
      }
      return roots;
    },
    async close() {
      const admin = new HubClient(hub.url);
      await admin.login(hub.admin.name, hub.admin.password);
      await admin.call('disableHost', [builder.name]);
      await admin.logout();
      await hub.close();
    },
  };
}
