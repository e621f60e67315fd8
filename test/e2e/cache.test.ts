import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rootLabels } from '../../src/container/podman/image-store.ts';
import { type Ended, TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { startForever } from './forever.ts';
import { ownTarget } from './own-target.ts';
import { describeE2e, srpm, surroundings } from './surroundings.ts';

const run = promisify(execFile);

describeE2e('what was prepared before', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;

  beforeAll(async () => {
    hub = await openDevHub();
    builder = await TestBuilder.start(hub, {
      settings: ['monitoring_enabled = yes', 'monitoring_bind = 127.0.0.1:0'],
      cold: true,
    });
    await builder.ensureRepo('td1-build');
    expect((await builder.build(srpm('hello'))).fault).toBeNull();
    // Its roots are kept now, and no container of it is on one of them.
    expect(await builder.leftovers()).toEqual([]);
  });
  afterAll(() => builder[Symbol.asyncDispose]());

  const place = (name: string) => join(builder.directory, 'work/adjutant/cache', name);
  const podman = async (...args: readonly string[]) =>
    (await run('podman', ['--url', `unix://${surroundings().socket}`, ...args])).stdout;
  /** Names of this builder's snapshot images: other builders of this engine may have some of the same content. */
  const images = async () => {
    const own = `label=${rootLabels.area}=${place('snapshots')}`;
    const names = await podman('images', '--filter', own, '--format', '{{.Repository}}:{{.Tag}}');
    // One whose record was damaged loses its name to the one that is made in its place, and is swept later.
    return names.split('\n').filter((name) => name !== '' && !name.startsWith('<none>'));
  };
  /** The daemon may remove a container in the same moment; Podman then leaves the image, and is asked again. */
  const removeWithContainers = async (image: string) => {
    const remove = () => podman('rmi', '--force', image);
    await remove().catch((error: unknown) => {
      if (!/no such container/.test(String(error))) throw error;
      return remove();
    });
  };
  const digest = async (path: string) =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  const rootLog = async (build: Ended) => {
    const { tree } = await builder.child(build, 'buildArch');
    return builder.log(tree.id, 'root.log');
  };

  it('is made again when snapshots were removed, and when packages and metadata in the cache are damaged', async () => {
    await podman('rmi', ...(await images()));
    const packages = (await readdir(place('packages'), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && entry.name.endsWith('.rpm'))
      .map(({ parentPath, name }) => join(parentPath, name))
      .slice(0, 7);
    for (const [index, path] of packages.entries()) {
      const bytes = await readFile(path);
      bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 0xff;
      await chmod(path, 0o644);
      // Other bytes, and for two of them less.
      await writeFile(path, index < 5 ? bytes : bytes.subarray(0, -1000));
    }
    for (const key of await readdir(place('metadata')))
      await truncate(join(place('metadata'), key, 'build.solv'), 100);

    const build = await builder.build(srpm('hello'));

    expect(build.fault).toBeNull();
    const logs = `${await rootLog(build)}${await builder.log((await builder.child(build, 'rebuildSRPM')).tree.id, 'root.log')}`;
    expect(logs).toMatch(/[1-5] damaged packages of the cache are fetched again/);
    expect(logs).toMatch(/ packages, [12] of them fetched/);
    for (const path of packages) expect(await digest(path)).toBe(basename(path, '.rpm'));
    const again = await builder.build(srpm('hello'));
    expect(await rootLog(again)).toMatch(/taken from snapshot/);
    expect(await builder.leftovers()).toEqual([]);
  });

  it('is made again when the records of snapshots are damaged', async () => {
    for (const name of await readdir(place('snapshots')))
      await writeFile(join(place('snapshots'), name), '{"key":');

    const build = await builder.build(srpm('hello'));

    expect(build.fault).toBeNull();
    expect(await rootLog(build)).not.toMatch(/taken from snapshot/);
    expect(await builder.leftovers()).toEqual([]);
    expect(await rootLog(await builder.build(srpm('hello')))).toMatch(/taken from snapshot/);
  });

  it('ends its task at once when it is removed under it, and nothing stays', async () => {
    const { build, client, alive } = await startForever(builder);
    for (const image of await images()) await removeWithContainers(image);

    const log = () => readFile(join(builder.directory, 'log'), 'utf8');
    // Podman kills before it removes: which of the two the daemon sees first is chance.
    await expect
      .poll(log, { timeout: 60_000, interval: 500 })
      .toMatch(/task freed, it goes back to the queue|exited with status 247/);
    expect(alive()).toEqual([]);
    // It may have failed already.
    await client.call('cancelTask', [build]).catch(() => undefined);
    await client.logout();
    await expect.poll(() => builder.leftovers(), { timeout: 60_000, interval: 500 }).toEqual([]);
  });

  it('is counted', async () => {
    const log = await readFile(join(builder.directory, 'log'), 'utf8');
    const url = /"url":"(http:[^"]+)","msg":"serving metrics"/.exec(log)?.[1] ?? '';

    const text = await (await fetch(`${url}/metrics`)).text();

    const value = (name: string) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`koji_adjutant_${name} `))
          ?.split(' ')
          .at(-1),
      );
    expect(value('ready')).toBe(1);
    expect(value('snapshot_misses_total')).toBeGreaterThan(0);
    expect(value('snapshots_made_total')).toBeGreaterThan(0);
    expect(value('package_misses_total')).toBeGreaterThan(0);
    expect(value('package_bytes')).toBeGreaterThan(1000);
    expect(value('tasks_total{method="buildArch",end="closed"}')).toBeGreaterThan(0);
    for (const phase of ['solve', 'fetch', 'install', 'build', 'commit'])
      expect(value(`phase_seconds_count{phase="${phase}"}`)).toBeGreaterThan(0);
    expect(value('hub_requests_total{kind="upload",result="answered"}')).toBeGreaterThan(0);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('cannot be made by an image without dnf, which the task says', async () => {
    // A root of the test distribution has no dnf. It is kept once its task has ended.
    await builder.build(srpm('hello'));
    expect(await builder.leftovers()).toEqual([]);
    const [root = ''] = await images();
    await podman('tag', root, 'localhost/koji-adjutant-test-no-dnf:1');
    const rules = [{ type: 'default', image: 'localhost/koji-adjutant-test-no-dnf:1', pull_policy: 'never' }];
    try {
      const name = await ownTarget(hub, builder, 'no-dnf', {
        adjutant_image_policy: { version: '1.0', rules },
      });

      const build = await builder.build(srpm('hello'), { target: name });

      expect(build.fault?.text).toMatch(/localhost\/koji-adjutant-test-no-dnf:1.*dnf/s);
      expect(await builder.leftovers()).toEqual([]);
    } finally {
      await podman('rmi', 'localhost/koji-adjutant-test-no-dnf:1');
    }
  });

  it('is there at once after a restart of the daemon', async () => {
    await builder.daemon.stop();
    await builder.restart();

    expect(await rootLog(await builder.build(srpm('hello')))).toMatch(/taken from snapshot/);
    expect(await builder.leftovers()).toEqual([]);
  });
});
