import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/core/clock.ts';
import { attachExternalRepo, ensureExternalRepo } from '../../../src/devhub/external-repos.ts';
import {
  ensureHost,
  ensureTag,
  ensureTarget,
  ensureUser,
  findUser,
  newEvent,
} from '../../../src/devhub/hub.ts';
import { runDevHub } from '../../../src/devhub/run.ts';
import { runScheduler } from '../../../src/devhub/scheduler.ts';
import { allowPackage } from '../../../src/devhub/seed.ts';
import { mustFindTag } from '../../../src/devhub/tags.ts';
import { decodeRequest } from '../../../src/devhub/tasks.ts';
import type { HubUnderTest } from './hub-under-test.ts';

const admin = { name: 'admin', password: 'admin-pw' };
const groups = [{ name: 'build', packages: ['bash'] }];

/** A development hub in its own directory. */
export async function openDevHub(): Promise<HubUnderTest> {
  const dir = await mkdtemp(join(tmpdir(), 'devhub-'));
  const notifications = { emailDomain: 'example.com', webUrl: 'https://koji.example.com/koji' };
  const running = await runDevHub({ dir, port: 0, clock: systemClock, settings: { notifications } });
  await running.change((hub) => ensureUser(hub, admin.name, admin.password, ['admin']));
  return {
    url: running.url,
    filesUrl: running.filesUrl,
    isHead: true,
    admin,
    ensureUser: ({ name, password }) => running.change((hub) => void ensureUser(hub, name, password)),
    ensureHost: ({ channel, ...host }) =>
      running.change((hub) => void ensureHost(hub, { ...host, channels: [channel] })),
    ensureTarget: (name) =>
      running.change((hub) => {
        const tag = { extra: {}, parents: [], groups: [] };
        const destination = ensureTag(hub, { ...tag, name, arches: null });
        const build = { name: `${name}-build`, arches: 'x86_64', parents: [name], groups };
        ensureTarget(hub, name, ensureTag(hub, { ...tag, ...build }), destination);
      }),
    ensurePackage: (tagName, packageName) =>
      running.change((hub) => {
        const tag = hub.state.tables.tags.find((row) => row.name === tagName);
        const owner = findUser(hub, admin.name);
        if (tag !== undefined && owner !== undefined) allowPackage(hub, tag, packageName, owner.id);
      }),
    ensureExternalRepo: (name) =>
      running.change((hub) => void ensureExternalRepo(hub, name, 'http://localhost/contract/')),
    attachExternalRepo: (tag, repo) =>
      running.change((hub) => attachExternalRepo(hub, mustFindTag(hub, tag), repo)),
    blockPackage: (tagName, packageName) =>
      running.change((hub) => {
        const { packages, tags, tagPackages } = hub.state.tables;
        const tagId = tags.find((row) => row.name === tagName)?.id;
        const packageId = packages.find((row) => row.name === packageName)?.id;
        const rows = tagPackages.filter((row) => row.tag_id === tagId && row.package_id === packageId);
        for (const row of rows) tagPackages.update(row.id, { blocked: true, create_event: newEvent(hub) });
      }),
    ageSession: (id) =>
      running.change((hub) => void hub.state.tables.sessions.update(id, { start_time: 0, renew_time: null })),
    notifies: true,
    tasksOf: (method) =>
      running.change(({ state }) =>
        state.tables.tasks
          .filter((task) => task.method === method)
          .map((task) => ({ ...task, request: decodeRequest(task) })),
      ),
    runScheduler: () => running.change((hub) => runScheduler(hub, true)),
    close: async () => {
      await running.close();
      await rm(dir, { recursive: true });
    },
  };
}
