import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { taskState } from '../../src/devhub/rows.ts';
import { childOf, TestBuilder } from './builder.ts';
import { allNumbers, countedIn, countingSpec } from './counting.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { inTime } from './forever.ts';
import { describeE2e, makeSrpm, srpm } from './surroundings.ts';

const run = promisify(execFile);
const cli = join(import.meta.dirname, '../../src/cli.ts');

/** For eight seconds: so long a daemon that is started again may take, on a busy machine, to find the build still running. */
const numbers = 80;

describeE2e('a daemon that is killed', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;
  let directory: string;
  let counting: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-adoption-'));
    counting = await makeSrpm(directory, 'counting', countingSpec(numbers));
    hub = await openDevHub();
    builder = await TestBuilder.start(hub, { settings: ['shutdown = handover', 'handover_limit = 15'] });
    await builder.ensureRepo('td1-build');
    // What it needs is prepared from here on.
    expect((await builder.build(srpm('hello'))).fault).toBeNull();
  });
  afterAll(async () => {
    await builder[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  /** Submits the counting package and waits until it has counted so far. */
  const count = async (number: number) => {
    const build = await builder.submit(counting);
    const client = await builder.login();
    const buildArch = async () => {
      const { children } = await client.taskTree(build);
      return children.find(({ method }) => method === 'buildArch')?.id ?? 0;
    };
    await expect.poll(buildArch, inTime).toBeGreaterThan(0);
    const id = await buildArch();
    await hasCounted(id, number);
    return { build, buildArch: id, startTs: await startOf(id) };
  };
  const hasCounted = async (buildArch: number, number: number) => {
    await expect
      .poll(async () => (await builder.uploads(buildArch)).includes('build.log'), inTime)
      .toBe(true);
    await expect
      .poll(() => builder.log(buildArch, 'build.log'), { timeout: 60_000, interval: 50 })
      .toContain(`count ${number}\n`);
  };
  const startOf = (id: number) =>
    hub.running.change(({ state }) => state.tables.tasks.mustGet(id).start_time);

  it('resumes a build where it was, whose log has neither gap nor duplicate', async () => {
    const { build, buildArch, startTs } = await count(10);
    for (const next of [25, 40]) {
      await builder.kill();
      await builder.restart();
      await hasCounted(buildArch, next);
    }
    await builder.kill();
    await builder.restart();

    const ended = await builder.end(build);

    expect(ended.fault).toBeNull();
    expect(ended.tree.state).toBe(taskState.CLOSED);
    expect(childOf(ended.tree, 'buildArch').id).toBe(buildArch);
    expect(await startOf(buildArch)).toBe(startTs);
    expect(countedIn(await builder.log(buildArch, 'build.log'))).toEqual(allNumbers(numbers));
    const state = await builder.log(buildArch, 'state.log');
    expect(state.match(/Start: rpmbuild$/gm)).toHaveLength(1);
    expect(state.match(/Finish: rpmbuild$/gm)).toHaveLength(1);
    expect((await hub.buildroots(buildArch)).map((root) => root.state)).toEqual(['EXPIRED']);
    expect(await builder.leftovers()).toEqual([]);
    const log = await readFile(join(builder.directory, 'log'), 'utf8');
    expect(log).toContain('resuming the hub session of the previous run');
    expect(log.match(/"method":"buildArch",.*"msg":"task resumed"/g)).toHaveLength(3);
  });

  it('finds a build that has ended while it was away', async () => {
    const { build, buildArch } = await count(numbers - 20);
    await builder.kill();
    const containers = () => builder.podman.running();
    await expect.poll(containers, { timeout: 30_000, interval: 200 }).toEqual([]);
    await builder.restart();

    const ended = await builder.end(build);

    expect(ended.fault).toBeNull();
    expect(countedIn(await builder.log(buildArch, 'build.log'))).toEqual(allNumbers(numbers));
    expect(await builder.leftovers()).toEqual([]);
  });

  it('lets go of a build that was cancelled meanwhile', async () => {
    const { build, buildArch } = await count(10);
    await builder.kill();
    const client = await builder.login();
    await client.call('cancelTask', [build]);
    await builder.restart();

    await expect.poll(() => builder.podman.containers(), { timeout: 10_000, interval: 200 }).toEqual([]);
    expect(await builder.leftovers()).toEqual([]);
    expect((await hub.buildroots(buildArch)).map((root) => root.state)).toEqual(['EXPIRED']);
  });

  it('starts a build again whose container has gone, once', async () => {
    const { build, buildArch, startTs } = await count(10);
    await builder.kill();
    for (const name of await builder.podman.containers()) await builder.podman.remove(name);
    await builder.restart();

    const ended = await builder.end(build);

    expect(ended.fault).toBeNull();
    expect(await startOf(buildArch)).not.toBe(startTs);
    expect(countedIn(await builder.log(buildArch, 'build.log'))).toEqual(allNumbers(numbers));
    expect(await builder.leftovers()).toEqual([]);
  });

  it('hands its tasks over when it is stopped, and says that it is not ready', async () => {
    const { build, buildArch, startTs } = await count(10);
    expect(await builder.daemon.stop()).toBe(0);
    expect(await hub.host(builder.name)).toMatchObject({ ready: false });
    expect(await builder.podman.running()).toHaveLength(1);
    await builder.restart();

    const ended = await builder.end(build);

    expect(ended.fault).toBeNull();
    expect(await startOf(buildArch)).toBe(startTs);
    expect(countedIn(await builder.log(buildArch, 'build.log'))).toEqual(allNumbers(numbers));
  });

  it('gives them back to the hub when that is asked for instead, and leaves nothing', async () => {
    const { buildArch } = await count(10);
    expect(await builder.daemon.stop()).toBe(0);

    await run(process.execPath, [cli, 'release', '-c', join(builder.directory, 'kojid.conf')]);

    const { state } = await hub.running.change((hubData) => hubData.state.tables.tasks.mustGet(buildArch));
    expect(state).toBe(taskState.FREE);
    expect(await builder.leftovers()).toEqual([]);
    expect((await hub.buildroots(buildArch)).map((root) => root.state)).toEqual(['EXPIRED']);
    // The lock is free, too.
    await builder.restart();
  });

  it('leaves nothing when it is not started again', async () => {
    const { buildArch } = await count(10);
    const states = () => hub.running.change(({ state }) => state.tables.tasks.mustGet(buildArch).state);
    await builder.kill();

    await expect.poll(states, { timeout: 60_000, interval: 200 }).toBe(taskState.FREE);
    expect(await builder.leftovers()).toEqual([]);
    expect((await hub.buildroots(buildArch)).map((root) => root.state)).toEqual(['EXPIRED']);
    const release = await readFile(join(builder.directory, 'work/adjutant/release.log'), 'utf8');
    expect(release).toContain('removed an orphaned container');
    await builder.restart();
  });
});
