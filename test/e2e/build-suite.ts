import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { type Ended, shapeOf, TestBuilder, type TestHub } from './builder.ts';
import { startForever, stopWithin } from './forever.ts';
import { arch, describeE2e, makeSrpm, srpm } from './surroundings.ts';

/** Logs of a task whose root was made, and which package manager's there are, is the image's affair. */
const rootLogs = ['build.log', 'hw_info.log', 'mock_config.log', 'mock_output.log', 'root.log', 'state.log'];
const withInstalled = [...rootLogs, 'installed_pkgs.log'].sort();
const withoutDnf = (names: readonly string[]) => names.filter((name) => !/^(dnf|hawkey)/.test(name));

/** Builds of the test distribution's source packages, as any hub must see them. */
export function describeBuilds(name: string, openHub: () => Promise<TestHub>): void {
  describeE2e(name, () => {
    let builder: TestBuilder;
    let directory: string;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
      builder = await TestBuilder.start(await openHub());
      await builder.ensureRepo(`${builder.hub.target}-build`);
    });
    afterAll(async () => {
      await builder[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    });

    const shape = ({ tree }: Ended) => shapeOf(tree, taskState);
    const scratchFiles = async ({ tree }: Ended, below = '') =>
      (
        await readdir(join(builder.hub.topdir, 'scratch', builder.hub.client.name, `task_${tree.id}`, below))
      ).sort();
    const rpmsOf = async (build: Ended) =>
      (await scratchFiles(build)).filter((file) => file.endsWith('.rpm'));

    describe.concurrent('a scratch build', () => {
      it('of an arch package ends with its packages, logs and buildroots on the hub', async () => {
        const build = await builder.build(srpm('hello'));

        expect(build.fault).toBeNull();
        expect(shape(build)).toBe(`build closed (rebuildSRPM srpm closed, buildArch ${arch} closed)`);
        expect(await rpmsOf(build)).toEqual([
          'hello-1.0-1.td1.src.rpm',
          `hello-1.0-1.td1.${arch}.rpm`,
          `hello-debuginfo-1.0-1.td1.${arch}.rpm`,
        ]);
        const logs = await scratchFiles(build, `logs/${arch}`);
        expect(withoutDnf(logs)).toEqual(withInstalled);
        const [rebuild, buildArch] = build.tree.children;
        expect(withoutDnf(await builder.uploads(rebuild?.id ?? 0))).toEqual(
          [...rootLogs, 'hello-1.0-1.td1.src.rpm'].sort(),
        );
        for (const task of [rebuild, buildArch])
          expect((await builder.hub.buildroots(task?.id ?? 0)).map(({ state }) => state)).toEqual([
            'EXPIRED',
          ]);
      });

      it('of noarch packages runs once, for noarch', async () => {
        const build = await builder.build(srpm('noarch-subs'));

        expect(shape(build)).toBe('build closed (rebuildSRPM srpm closed, buildArch noarch closed)');
        expect(await rpmsOf(build)).toEqual([
          'noarch-subs-1.0-1.td1.noarch.rpm',
          'noarch-subs-1.0-1.td1.src.rpm',
          'noarch-subs-one-1.0-1.td1.noarch.rpm',
          'other-two-1.0-1.td1.noarch.rpm',
        ]);
        expect(await scratchFiles(build, 'logs/noarch')).toContain('noarch_rpmdiff.json');
      });

      it('of an arch package with a noarch subpackage keeps both', async () => {
        const build = await builder.build(srpm('mixed-arch'));

        expect(shape(build)).toBe(`build closed (rebuildSRPM srpm closed, buildArch ${arch} closed)`);
        expect(await rpmsOf(build)).toEqual([
          'mixed-arch-1.0-1.td1.src.rpm',
          `mixed-arch-1.0-1.td1.${arch}.rpm`,
          'mixed-arch-data-1.0-1.td1.noarch.rpm',
          `mixed-arch-debuginfo-1.0-1.td1.${arch}.rpm`,
        ]);
        expect(await scratchFiles(build, `logs/${arch}`)).toContain('noarch_rpmdiff.json');
      });

      it('finds versioned, rich, file and pkgconfig requirements, and tells the hub what was added', async () => {
        const build = await builder.build(srpm('versioned-br'));

        expect(build.fault).toBeNull();
        const [, buildArch] = build.tree.children;
        const [buildroot] = await builder.hub.buildroots(buildArch?.id ?? 0);
        const added = buildroot?.packages.filter(({ isUpdate }) => isUpdate).map(({ nvra }) => nvra);
        expect(added).toContain('leaf-data-1.5-2.td1.noarch');
        expect(added).toContain('leaf-tool-2.1-1.td1.noarch');
        const log = await builder.log(buildArch?.id ?? 0, 'installed_pkgs.log');
        expect(buildroot?.packages).toHaveLength(log.trimEnd().split('\n').length);
      });

      it('lists exactly those packages that rpm finds in the root', async () => {
        const spec = `BuildArch: noarch
BuildRequires: leaf-tool
%description
Lists its root.
%build
rpm -qa --qf 'PACKAGE %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}\\n'
%files
`;
        const build = await builder.build(await makeSrpm(directory, 'list-root', spec));

        expect(build.fault).toBeNull();
        const { tree } = await builder.child(build, 'buildArch');
        const log = await builder.log(tree.id, 'build.log');
        const found = [...log.matchAll(/^PACKAGE (.*)$/gm)].map(([, nvra]) => nvra);
        const [buildroot] = await builder.hub.buildroots(tree.id);
        expect(found.length).toBeGreaterThan(100);
        expect(buildroot?.packages.map(({ nvra }) => nvra).sort()).toEqual(found.sort());
      });
    });

    describe.concurrent('a failing build', () => {
      it('sends those who look for a compiler error to build.log', async () => {
        const build = await builder.build(srpm('fail-compile'));

        expect(shape(build)).toBe(`build failed (rebuildSRPM srpm closed, buildArch ${arch} failed)`);
        const text = `error building package (arch ${arch}), exited with status 1; see build.log or root.log for more information`;
        const buildArch = await builder.child(build, 'buildArch');
        expect([build.fault, buildArch.fault]).toEqual([
          { code: 1005, text },
          { code: 1005, text },
        ]);
        expect(await builder.log(buildArch.tree.id, 'build.log')).toContain('undeclared_thing');
        expect(withoutDnf(await builder.uploads(buildArch.tree.id))).toEqual(withInstalled);
        const [buildroot] = await builder.hub.buildroots(buildArch.tree.id);
        expect(buildroot?.state).toBe('EXPIRED');
        expect(buildroot?.packages.length).toBeGreaterThan(100);
      });

      it('sends those who miss a requirement to root.log', async () => {
        const build = await builder.build(srpm('missing-br'));

        const buildArch = await builder.child(build, 'buildArch');
        expect(buildArch.fault).toEqual({
          code: 1005,
          text: 'error building package (arch noarch), exited with status 30; see root.log for more information',
        });
        const log = await builder.log(buildArch.tree.id, 'root.log');
        expect(log).toContain('no-such-package >= 1');
        expect(log).toContain('leaf-tool >= 99');
        expect(withoutDnf(await builder.uploads(buildArch.tree.id))).toEqual(rootLogs);
        const [buildroot] = await builder.hub.buildroots(buildArch.tree.id);
        expect(buildroot?.state).toBe('EXPIRED');
      });

      it('for another arch starts no build at all', async () => {
        const build = await builder.build(srpm('arm-only'));

        expect(shape(build)).toBe('build failed (rebuildSRPM srpm closed)');
        expect(build.fault).toEqual({ code: 1005, text: 'No matching arches were found' });
      });
    });

    it('stops a canceled build within 10 s, and continues other tasks meanwhile', async () => {
      const { build, buildArch, client, alive } = await startForever(builder);
      const canceledMs = systemClock.now();

      await client.call('cancelTask', [build]);
      const other = z
        .int()
        .parse(await client.call('makeTask', ['sleep', [0]], { channel: builder.hub.channel }));

      const stateOf = async (id: number) => (await client.taskTree(id)).state;
      await expect.poll(() => stateOf(other), stopWithin).toBe(taskState.CLOSED);
      await expect.poll(async () => [...alive(), ...(await builder.leftovers())], stopWithin).toEqual([]);
      expect(systemClock.now() - canceledMs).toBeLessThan(10_000);
      expect((await builder.hub.host(builder.name)).updatedMs).toBeGreaterThan(canceledMs);
      expect([await stateOf(build), await stateOf(buildArch)]).toEqual([
        taskState.CANCELED,
        taskState.CANCELED,
      ]);
      const buildroots = async () => (await builder.hub.buildroots(buildArch)).map(({ state }) => state);
      await expect.poll(buildroots, stopWithin).toEqual(['EXPIRED']);
      expect(await builder.log(buildArch, 'build.log')).toContain('going to sleep');
    });

    it('leaves nothing on the host', async () => {
      expect(await builder.leftovers()).toEqual([]);
    });
  });
}
