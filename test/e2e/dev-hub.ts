import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../src/core/clock.ts';
import { ensureHost } from '../../src/devhub/hub.ts';
import { buildrootState, stateName } from '../../src/devhub/rows.ts';
import { type RunningDevHub, runDevHub } from '../../src/devhub/run.ts';
import { type SeedOptions, seedDevHub } from '../../src/devhub/seed.ts';
import { laneDirectory } from '../support/lane.ts';
import { TestBuilder, type TestHub } from './builder.ts';
import { arch, srpm, surroundings } from './surroundings.ts';

const channel = 'e2e';
/** Where a suite and another test run use the same engine, their builders must not take each other's containers for theirs. */
const builderName = () => `e2e-${randomBytes(4).toString('hex')}`;
const client = { name: 'e2e-client', password: 'e2e-client-pw' };

/** A development hub with the test distribution in the target `td1`, as the tests want it. */
export interface DevTestHub extends TestHub {
  /** The hub itself, to change what no client can change. */
  readonly running: RunningDevHub;
}

/**
 * A hub whose build tag has the test distribution and a repository of it, as a copy of the lane's own. `from`: where the tag
 * has the distribution from instead; a repository is still to be made then.
 */
export async function openDevHub(from?: Pick<SeedOptions, 'externalRepo'>): Promise<DevTestHub> {
  const dir = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-hub-'));
  if (from !== undefined) {
    const hub = await startHub(dir, 0);
    await seed(hub.running, from);
    return hub;
  }
  await copyHub(await laneHub(), dir);
  return startHub(dir, await lanePort());
}

/**
 * The tree of this lane's hub, which is made when it is first asked for. By then the roots of a build are prepared, too, so
 * that it is not one of the tests that pays for them.
 */
async function laneHub(): Promise<string> {
  const tree = join(await laneDirectory(), 'hub');
  if (existsSync(tree)) return tree;
  const draft = `${tree}.new`;
  await rm(draft, { recursive: true, force: true });
  await prepareHub(await startHub(draft, await lanePort(), 'stays'));
  await rename(draft, tree);
  return tree;
}

/** Copies the tree of a hub. Packages are linked: nobody changes them in their place. */
async function copyHub(from: string, to: string): Promise<void> {
  const copy = (...words: readonly string[]) => promisify(execFile)('cp', ['-a', ...words]);
  await mkdir(join(to, 'koji'));
  await copy('--link', join(from, 'koji/packages'), join(to, 'koji'));
  const others = (await readdir(join(from, 'koji'))).filter((name) => name !== 'packages');
  await copy('--reflink=auto', ...others.map((name) => join(from, 'koji', name)), join(to, 'koji'));
  await copy(join(from, 'state.jsonl'), to);
}

async function prepareHub(hub: DevTestHub): Promise<void> {
  await seed(hub.running);
  await using builder = await TestBuilder.start(hub);
  await builder.ensureRepo('td1-build');
  const { fault } = await builder.build(srpm('hello'));
  if (fault !== null) throw new Error(`hello cannot be built: ${fault.text}`);
  const left = await builder.leftovers();
  if (left.length > 0) throw new Error(`hello has left ${left.join(', ')}`);
  // It is no builder of the hubs that are made of this one.
  await hub.running.change(({ state: { tables } }) => {
    for (const { id } of tables.hosts.all()) tables.hosts.update(id, { enabled: false, ready: false });
  });
}

/** The port of the lane's hubs: what a solver has said of a repo holds for the server that has it. */
async function lanePort(): Promise<number> {
  const file = join(await laneDirectory(), 'hub-port');
  if (existsSync(file)) return Number(await readFile(file, 'utf8'));
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on TCP has an address of this form.
  const { port } = server.address() as AddressInfo;
  server.close();
  await writeFile(file, String(port));
  return port;
}

async function seed(running: RunningDevHub, from: Pick<SeedOptions, 'externalRepo'> = {}): Promise<void> {
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
}

/** The hub of a directory, and what becomes of that when it is closed. */
async function startHub(dir: string, port: number, tree: 'goes' | 'stays' = 'goes'): Promise<DevTestHub> {
  const running = await runDevHub({ dir, port, clock: systemClock }).catch((error: unknown) => {
    // Another hub of this lane has the port. With one of its own the solver has to be asked again, that is all.
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    return runDevHub({ dir, port: 0, clock: systemClock });
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
      if (tree === 'goes') await rm(dir, { recursive: true });
    },
  };
}
