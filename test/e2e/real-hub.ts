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
const Channels = z.array(z.looseObject({ name: z.string() }));
const Builds = z.looseObject({ id: z.int(), state: z.int() }).nullable();
const Tags = z.array(z.looseObject({ name: z.string() }));
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

/** The builder's place on a real hub. */
export interface RealPlace {
  /** Name of its host. */
  readonly host: string;
  /** Its own channel, where all builds of the tests go; hosts may share one. */
  readonly channel: string;
  /** Channels it takes work of besides. */
  readonly others: readonly string[];
}

export interface RealTestHub extends TestHub {
  /** Whether it makes tasks that send mails; its `env.sh` says so with HUB_NOTIFIES=1. */
  readonly notifies: boolean;
}

const usualPlace: RealPlace = { host: 'adjutant-e2e', channel: 'adjutant-e2e', others: ['createrepo'] };

/**
 * A real hub that has the test distribution in the target `td1`. At the end the host is disabled, for hosts
 * cannot be removed.
 */
export async function openRealTestHub(
  environmentFile: string,
  place: RealPlace = usualPlace,
): Promise<RealTestHub> {
  const hub = await openRealHub(environmentFile);
  const { TOPDIR: topdir } = readHubEnvironment(environmentFile);
  if (topdir === undefined) throw new Error(`${environmentFile} does not set TOPDIR`);
  // Without a session, so that calls may overlap.
  const client = new HubClient(hub.url);
  const builder = { name: place.host, password: 'adjutant-e2e-pw' };
  const { channel, others } = place;
  /** Does something as the administrator. */
  const administer = async (work: (admin: HubClient) => Promise<void>) => {
    const admin = new HubClient(hub.url);
    await admin.login(hub.admin.name, hub.admin.password);
    await work(admin);
    await admin.logout();
  };
  return {
    url: hub.url,
    filesUrl: hub.filesUrl,
    topdir,
    client: hub.admin,
    builder,
    target: 'td1',
    notifies: hub.notifies,
    channel,
    async ensureBuilder() {
      await hub.ensureHost({ ...builder, arches: arch, capacity: 2, channel });
      await administer(async (admin) => {
        const joined = Channels.parse(await admin.call('listChannels', [builder.name]));
        for (const name of others)
          if (!joined.some((one) => one.name === name))
            await admin.call('addHostToChannel', [builder.name, name]);
      });
    },
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
      await administer(async (admin) => {
        await admin.call('disableHost', [builder.name]);
      });
      await hub.close();
    },
  };
}

/** What the hub knows of a build: its state (code of `buildState`) and the names of its tags. */
export async function buildOf(client: HubClient, nvr: string) {
  const build = Builds.parse(await client.call('getBuild', [nvr]));
  if (build === null) return null;
  const tags = Tags.parse(await client.call('listTags', [build.id]));
  return { id: build.id, state: build.state, tags: tags.map(({ name }) => name) };
}

/** Makes it possible to build once more what an earlier run has built. */
export async function forgetBuild(client: HubClient, nvr: string): Promise<void> {
  const build = await buildOf(client, nvr);
  if (build === null) return;
  for (const tag of build.tags) await client.call('untagBuild', [tag, build.id]);
  await client.call('resetBuild', [build.id]);
}
