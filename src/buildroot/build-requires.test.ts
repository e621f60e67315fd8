import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failureOf, openRootBench } from '../../test/support/root-bench.ts';
import { toSourceRpm } from '../../test/support/source-rpm.ts';

const never = new AbortController().signal;
const srpm = (...requires: string[]) => toSourceRpm({ requires });
const generated = 'rpmlib(DynamicBuildRequires)';

describe('TagRoot.addBuildRequires', () => {
  it('installs nothing when nothing is missing', async () => {
    const { directory, withSource, created, started } = await openRootBench({
      sources: [{ srpms: { 'hello-1.0-1.src.rpm': srpm('bash') } }],
    });
    const root = await withSource();

    const source = await root.addBuildRequires(never);

    expect(source).toMatchObject({ generated: false, path: join(directory, 'source-1/hello-1.0-1.src.rpm') });
    expect(created()).toEqual(['build-1', 'fetch-1', 'install-1', 'disk-1', 'source-1', 'fetch-2']);
    expect(started()).toEqual(['fetch-1', 'install-1', 'source-1', 'fetch-2']);
    expect(await readFile(join(directory, 'in/source-1.sh'), 'utf8')).toContain('-bs --target x86_64');
    expect(await readFile(join(directory, 'in/fetch-2.sh'), 'utf8')).toContain('builddep /adjutant/in/');
  });

  it('installs what is missing into the root and lists it', async () => {
    const { directory, withSource, containers, created } = await openRootBench({
      fetch: () => ['gcc.rpm'],
      installed: (attempt) => (attempt === 1 ? ['bash'] : ['bash', 'gcc']),
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm('gcc') } }],
    });
    const root = await withSource();

    await root.addBuildRequires(never);

    expect(root.installed.map(({ name }) => name)).toEqual(['bash', 'gcc']);
    expect(created().slice(5)).toEqual(['fetch-2', 'install-2', 'source-2']);
    const parent = containers.created.find(({ name }) => name.endsWith('fetch-2'))?.mounts.at(-1);
    expect(parent).toMatchObject({ kind: 'root', container: 'fake-1', access: 'copy' });
    expect(await readFile(join(directory, 'in/install-2.sh'), 'utf8')).not.toContain('chown');
  });

  it('changes the root also when something only has to go', async () => {
    const { withSource, created } = await openRootBench({
      removals: (attempt) => (attempt === 2 ? 'bash-minimal-1-1.x86_64\n' : ''),
      installed: (attempt) => (attempt === 1 ? ['bash', 'bash-minimal'] : ['bash']),
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm('bash') } }],
    });
    const root = await withSource();

    await root.addBuildRequires(never);

    expect(root.installed.map(({ name }) => name)).toEqual(['bash']);
    expect(created().slice(5, 7)).toEqual(['fetch-2', 'install-2']);
  });

  it('looks again while the installed packages bring new requirements, and stops when they do not', async () => {
    const { withSource, created } = await openRootBench({
      fetch: () => ['some.rpm'],
      sources: [['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c']].map((requires) => ({
        srpms: { 'a-1-1.src.rpm': srpm(...requires) },
      })),
    });
    const root = await withSource();

    await root.addBuildRequires(never);

    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(4);
    expect(created().filter((name) => name.startsWith('install'))).toHaveLength(1 + 3);
  });

  it('gives up looking after ten rounds, as mock does', async () => {
    let round = 0;
    const { withSource, created } = await openRootBench({
      fetch: () => ['some.rpm'],
      sources: Array.from({ length: 20 }, () => {
        round += 1;
        return { srpms: { 'a-1-1.src.rpm': srpm(`r${round}`) } };
      }),
    });
    const root = await withSource();

    const source = await root.addBuildRequires(never);

    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(11);
    expect(source.requirements).toContain('r11 ');
  });

  it('installs generated requirements until rpmbuild finds nothing missing', async () => {
    const list = { code: 11, srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm('x') } };
    const { directory, withSource, created, containers } = await openRootBench({
      fetch: (attempt) => (attempt === 2 ? [] : ['some.rpm']),
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, list, list, { code: 0 }],
    });
    const root = await withSource();

    const source = await root.addBuildRequires(never);

    expect(source.generated).toBe(true);
    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(4);
    expect(created().filter((name) => name.startsWith('install'))).toHaveLength(3);
    expect(await readFile(join(directory, 'in/source-2.sh'), 'utf8')).toContain('-br --target');
    expect(
      containers.created.filter(({ name }) => name.includes('-disk-')).map(({ root: kind }) => kind),
    ).toContainEqual(expect.objectContaining({ kind: 'empty' }));
  });

  it('runs %prep once, in a home that all steps share and the build gets', async () => {
    const list = { code: 11, srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm('x') } };
    const { directory, withSource, created, containers } = await openRootBench({
      fetch: (attempt) => (attempt === 2 ? [] : ['some.rpm']),
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, list, list, { code: 0 }],
      build: { srpms: { 'a-1-1.src.rpm': 'written again' } },
    });
    const root = await withSource();

    await root.build(await root.addBuildRequires(never), never);

    const scripts = ['source-1', 'source-2', 'source-3', 'source-4', 'build'].map((name) =>
      readFile(join(directory, `in/${name}.sh`), 'utf8'),
    );
    const modes = (await Promise.all(scripts)).map(
      (script) => /exec \/usr\/bin\/rpmbuild (.*?) --target/.exec(script)?.[1],
    );
    expect(modes).toEqual(['-bs', '-br', '-br --noprep', '-br --noprep', '-ba --noprep']);
    expect(created().filter((name) => name.startsWith('disk'))).toEqual(['disk-1']);
    expect(created().at(-1)).toBe('carry-1');
    expect(containers.created.at(-1)).toMatchObject({
      capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'],
      network: 'none',
      root: { kind: 'image' },
    });
    expect(containers.created.at(-1)?.mounts.map(({ kind, target }) => `${kind} ${target}`)).toEqual([
      ...['work /adjutant/in', 'root /mnt/disk', 'root /mnt/root'],
    ]);
  });

  it('leaves nothing of its steps to a build without generated requirements', async () => {
    const { directory, withSource, created } = await openRootBench({
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm() } }],
    });
    const root = await withSource();

    await root.build(await root.addBuildRequires(never), never);

    expect(created()).not.toContain('carry-1');
    expect(await readFile(join(directory, 'in/build.sh'), 'utf8')).toContain('rpm -Uvh --nodeps');
  });

  it('ends the generated rounds when the list brings nothing new', async () => {
    const list = { code: 11, srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm('x') } };
    const { withSource, created } = await openRootBench({
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, list],
    });
    const root = await withSource();

    await root.addBuildRequires(never);

    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(2);
  });

  it('gives up generating after ten rounds, as mock does', async () => {
    const list = { code: 11, srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm('x') } };
    const { withSource, created } = await openRootBench({
      fetch: (attempt) => (attempt === 2 ? [] : ['some.rpm']),
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, list],
    });
    const root = await withSource();

    await root.addBuildRequires(never);

    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(1 + 10);
  });

  it('fails with status 40 and shows why in root.log when the source package cannot be unpacked', async () => {
    const { withSource, logs } = await openRootBench({
      sources: [{ code: 40, output: `${'long ago '.repeat(1000)}Source RPM is not installable:\n` }],
    });
    const root = await withSource();

    const error = await failureOf(root.addBuildRequires(never));

    expect(error).toMatchObject({
      status: 40,
      message: expect.stringContaining('exited with status 40; see root.log for more information'),
    });
    expect(logs.texts.root).toMatch(
      /long ago Source RPM is not installable:\nrpmbuild -bs \(status 40\) failed\n$/,
    );
    expect(logs.texts.root.length).toBeLessThan(5000);
    expect(logs.texts.build).toContain('Source RPM is not installable:\n');
  });

  it.each([
    [1, 1, 'build.log or root.log'],
    [11, 11, 'root.log'],
    [139, 245, 'root.log'],
  ])('fails as mock would when rpmbuild -bs ends with %i', async (code, status, log) => {
    const { withSource } = await openRootBench({ sources: [{ code }] });
    const root = await withSource();

    expect(await failureOf(root.addBuildRequires(never))).toMatchObject({
      status,
      message: `rpmbuild -bs (status ${code}) exited with status ${status}; see ${log} for more information`,
    });
  });

  it('fails with status 10 when %generate_buildrequires fails', async () => {
    const { withSource } = await openRootBench({
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, { code: 1 }],
    });
    const root = await withSource();

    expect(await failureOf(root.addBuildRequires(never))).toMatchObject({
      status: 10,
      step: 'rpmbuild -br (status 1)',
    });
  });

  it('fails with status 30 when a requirement cannot be had', async () => {
    const { withSource } = await openRootBench({
      fetch: (attempt) => (attempt === 1 ? ['bash.rpm'] : 1),
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm('nobody-has-it') } }],
    });
    const root = await withSource();

    expect(await failureOf(root.addBuildRequires(never))).toMatchObject({
      status: 30,
      step: 'fetch build requirements (status 1)',
    });
  });

  it.each([
    ['none', {}],
    ['two', { 'a-1-1.src.rpm': srpm(), 'b-1-1.src.rpm': srpm() }],
  ])('fails with status 40 when rpmbuild -bs leaves %s', async (_count, srpms) => {
    const { withSource } = await openRootBench({ sources: [{ srpms }] });
    const root = await withSource();

    expect(await failureOf(root.addBuildRequires(never))).toMatchObject({ status: 40 });
  });

  it('kills a source phase that takes longer than rpmbuild_timeout', async () => {
    const { clock, withSource } = await openRootBench({ sources: [{ runMs: Number.POSITIVE_INFINITY }] });
    const root = await withSource();

    const failing = failureOf(root.addBuildRequires(never));
    await clock.asleep(3_600_000);
    await clock.advance(3_600_000);

    expect(await failing).toMatchObject({
      status: 11,
      message:
        'rpmbuild -bs took longer than rpmbuild_timeout allows and exited with status 11; see root.log for more information',
    });
  });
});
