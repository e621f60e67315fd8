import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { z } from 'zod';
import { HubClient } from '../../src/devhub/client.ts';
import { HubFault } from '../../src/hub/faults.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import type { HubUnderTest } from '../contract/hub/hub-under-test.ts';

const run = promisify(execFile);

/** The variables of the `env.sh` that describes a running hub. */
export function readHubEnvironment(path: string): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const match of readFileSync(path, 'utf8').matchAll(/\b(\w+)=(?:"([^"]*)"|(\S+))/g)) {
    const [, name, quoted, plain] = match;
    if (name !== undefined) variables[name] = quoted ?? plain ?? '';
  }
  return variables;
}

/** Runs a statement in the database of a hub; gives its rows, with `|` between columns. */
export async function queryHubDatabase(database: string, statement: string): Promise<readonly string[]> {
  const options = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1'];
  const { stdout } = await run('psql', [...options, '--command', statement, database]);
  return stdout.split('\n').filter((line) => line !== '');
}

function variable(environment: Readonly<Record<string, string>>, name: string): string {
  const value = environment[name];
  if (value === undefined) throw new Error(`the file KOJI_TEST_HUB names does not set ${name}`);
  return value;
}

const Tasks = z.array(
  z.object({
    id: z.int(),
    owner: z.int(),
    parent: z.int().nullable(),
    label: z.string().nullable(),
    arch: z.string(),
    request: z.array(z.unknown()),
  }),
);

/** A real hub, set up through its API and, for passwords and expiry, its database. */
export async function openRealHub(environmentFile: string): Promise<HubUnderTest> {
  const environment = readHubEnvironment(environmentFile);
  const url = variable(environment, 'HUB_URL');
  const database = variable(environment, 'LAB_DB');
  const admin = { name: 'kojiadmin', password: 'kojiadmin-pw' };
  const client = new HubClient(url);
  await client.login(admin.name, admin.password);

  const exists = async (method: string, name: string) => (await client.call(method, [name])) !== null;
  const sql = async (statement: string) => {
    await queryHubDatabase(database, statement);
  };
  /** Calls what may have been done by an earlier run. */
  const ensure = async (method: string, params: RpcValue[], keywords: Record<string, RpcValue> = {}) => {
    await client.call(method, params, keywords).catch((error: unknown) => {
      if (!(error instanceof HubFault) || !/already|not subscribed|is not in/.test(error.faultString))
        throw error;
    });
  };

  // Hubs up to 1.35.3 answer a request without a call with a fault.
  const empty = await fetch(url, { method: 'POST', body: '' });
  return {
    url,
    isHead: empty.status === 400,
    filesUrl: variable(environment, 'FILES_URL'),
    admin,
    ensureUser: ({ name, password }) =>
      sql(`insert into users (name, password, status, usertype) values ('${name}', '${password}', 0, 0)
           on conflict (name) do update set password = excluded.password`),
    async ensureHost({ name, password, arches, capacity, channel }) {
      if (!(await exists('getHost', name))) await client.call('addHost', [name, arches.split(' ')]);
      await client.call('editHost', [name], { arches, capacity });
      await ensure('addHostToChannel', [name, channel], { create: true });
      await ensure('removeHostFromChannel', [name, 'default']);
      await client.call('enableHost', [name]);
      await sql(`update users set password = '${password}' where name = '${name}'`);
    },
    async ensureTarget(name) {
      const build = `${name}-build`;
      if (!(await exists('getTag', name))) await client.call('createTag', [name]);
      if (!(await exists('getTag', build))) {
        await client.call('createTag', [build], { parent: name, arches: 'x86_64' });
        await client.call('groupListAdd', [build, 'build']);
        await client.call('groupPackageListAdd', [build, 'build', 'bash']);
      }
      if (!(await exists('getBuildTarget', name)))
        await client.call('createBuildTarget', [name, build, name]);
    },
    async ensurePackage(tag, packageName) {
      await ensure('packageListAdd', [tag, packageName, admin.name]);
    },
    async ensureExternalRepo(name) {
      if (!(await exists('getExternalRepo', name)))
        await client.call('createExternalRepo', [name, 'http://localhost/contract/']);
    },
    async attachExternalRepo(tag, { name, url, priority, mergeMode, arches }) {
      if (!(await exists('getExternalRepo', name))) await client.call('createExternalRepo', [name, url]);
      await client.call('addExternalRepoToTag', [tag, name, priority], { merge_mode: mergeMode, arches });
    },
    async blockPackage(tag, packageName) {
      await client.call('packageListBlock', [tag, packageName]);
    },
    ageSession: (id) =>
      sql(`update sessions set start_time = '2000-01-01', renew_time = null where id = ${id}`),
    notifies: environment['HUB_NOTIFIES'] === '1',
    async tasksOf(method) {
      const tasks = await client.call('listTasks', [{ method, decode: true }], {
        queryOpts: { order: '-id', limit: 20 },
      });
      return Tasks.parse(tasks);
    },
    async runScheduler() {
      await client.call('scheduler.doRun', [], { force: true });
    },
    async close() {
      await client.logout();
    },
  };
}
