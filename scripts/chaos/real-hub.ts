import { z } from 'zod';
import { HubClient } from '../../src/devhub/client.ts';
import { type RpcValue, withKeywords } from '../../src/hub/xmlrpc/codec.ts';
import { openRealHub, queryHubDatabase, readHubEnvironment } from '../../test/integration/real-hub.ts';
import { type ChaosHub, freeTag } from './hub.ts';

const builder = { name: 'chaos-builder', password: 'chaos-builder-pw' };
const channel = 'chaos';

const Builds = z.array(z.looseObject({ build_id: z.int(), package_name: z.string() }));
const Ids = z.array(z.looseObject({ id: z.int() }));

/**
 * A real hub for tests that has the test distribution in the target `td1`. The builder gets a host and a channel of
 * its own, and what an earlier run has left of tasks and sessions there is done away with. At the end the host is disabled.
 */
export async function openRealChaosHub(environmentFile: string): Promise<ChaosHub> {
  const hub = await openRealHub(environmentFile);
  const environment = readHubEnvironment(environmentFile);
  const { TOPDIR: topdir, LAB_DB: database } = environment;
  if (topdir === undefined || database === undefined)
    throw new Error(`${environmentFile} does not set TOPDIR and LAB_DB`);
  await hub.ensureHost({ ...builder, arches: 'x86_64', capacity: 6, channel });
  const ofBuilder = `from users where users.id = sessions.user_id and users.name = '${builder.name}'`;
  await queryHubDatabase(
    database,
    `update sessions set closed = true, expired = true, exclusive = null ${ofBuilder} and not closed`,
  );
  const admin = new HubClient(hub.url);
  await admin.login(hub.admin.name, hub.admin.password);
  const left = Ids.parse(
    await admin.call('listTasks', [{ channel: await channelId(admin), state: [0, 1, 4] }]),
  );
  for (const { id } of left) await admin.call('cancelTask', [id]);
  const builds = await freeBuilds(admin);
  await admin.logout();
  return {
    url: hub.url,
    filesUrl: hub.filesUrl,
    topdir,
    builder,
    admin: hub.admin,
    channel,
    builds,
    async openSessions() {
      const rows = await queryHubDatabase(
        database,
        `select sessions.id, master from sessions, users where users.id = sessions.user_id
         and users.name = '${builder.name}' and not closed and (exclusive or master is not null)`,
      );
      return rows.map((row) => `session ${row}`);
    },
    async close() {
      await admin.login(hub.admin.name, hub.admin.password);
      await admin.call('disableHost', [builder.name]);
      await admin.logout();
      await hub.close();
    },
  };
}

async function channelId(admin: HubClient): Promise<number> {
  return z.looseObject({ id: z.int() }).parse(await admin.call('getChannel', [channel])).id;
}

/** The builds of `td1-build`, which may be tagged into a tag where none of them is. */
async function freeBuilds(admin: HubClient): Promise<readonly number[]> {
  if ((await admin.call('getTag', [freeTag])) === null) await admin.call('createTag', [freeTag]);
  const builds = Builds.parse(await admin.call('listTagged', ['td1-build']));
  const tagged = Builds.parse(await admin.call('listTagged', [freeTag]));
  const allowed = z
    .array(z.looseObject({ package_name: z.string() }))
    .parse(await admin.call('listPackages', [], { tagID: freeTag }));
  const known = new Set(allowed.map(({ package_name: name }) => name));
  const missing = new Set(builds.map(({ package_name: name }) => name).filter((name) => !known.has(name)));
  await callAll(admin, [
    ...[...missing].map((name) => ['packageListAdd', [freeTag, name, 'kojiadmin'], {}] as const),
    ...tagged.map(({ build_id: id }) => ['untagBuildBypass', [freeTag, id], { notify: false }] as const),
  ]);
  return builds.map(({ build_id: id }) => id).toSorted((a, b) => a - b);
}

type WantedCall = readonly [method: string, params: readonly RpcValue[], keywords: Record<string, RpcValue>];

async function callAll(admin: HubClient, calls: readonly WantedCall[]): Promise<void> {
  if (calls.length === 0) return;
  const answers = await admin.call('multiCall', [
    calls.map(([methodName, params, keywords]) => ({
      methodName,
      params: [...withKeywords(params, keywords)],
    })),
  ]);
  const failed = z
    .array(z.unknown())
    .parse(answers)
    .find((answer) => !Array.isArray(answer));
  if (failed !== undefined) throw new Error(`the hub could not be prepared: ${JSON.stringify(failed)}`);
}
