import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failureOf, openRootBench } from '../../../test/support/root-bench.ts';
import { toSourceRpm } from '../../../test/support/source-rpm.ts';
import { never } from '../../core/never.ts';

const srpm = (...requires: string[]) => toSourceRpm({ requires });
const generated = 'rpmlib(DynamicBuildRequires)';

describe('BuildEnvironment.addBuildRequires', () => {
  it('asks for what the header wants and runs no code of the package', async () => {
    const { directory, withSource, created, started } = await openRootBench({
      solve: (attempt) => (attempt === 1 ? ['bash'] : ['gcc']),
    });
    const root = await withSource(srpm('gcc'));

    const ready = await root.addBuildRequires(never);

    expect(ready).toEqual({
      remade: false,
      prepared: null,
      source: { generated: false, path: join(directory, 'in/source.src.rpm'), requirements: 'gcc 0 ' },
    });
    expect(root.installed.map(({ name }) => name)).toEqual(['bash', 'gcc']);
    expect(created()).toEqual([
      ...['solve-1', 'root-1', 'install-1', 'list-1', 'solve-2', 'root-2', 'install-2', 'list-2'],
    ]);
    expect(started()).not.toContain('source-1');
    const script = await readFile(join(directory, 'in/solve-2.sh'), 'utf8');
    expect(script).toContain('builddep /adjutant/in/requires-1.src.rpm');
    expect(await readFile(join(directory, 'in/requires-1.src.rpm'))).toEqual(srpm('gcc'));
  });

  it('installs nothing when nothing is missing', async () => {
    const { withSource, created } = await openRootBench({});
    const root = await withSource(srpm('bash'));
    const { installed } = root;

    await root.addBuildRequires(never);

    expect(created()).toEqual(['solve-1', 'root-1', 'install-1', 'list-1', 'solve-2']);
    expect(root.installed).toBe(installed);
  });

  it('installs what is missing into a root of its own, on a snapshot of the one before', async () => {
    const { containers, directory, withSource, spec, draft } = await openRootBench({ solve: () => ['some'] });
    const root = await withSource(srpm('gcc'));

    await root.addBuildRequires(never);

    const [committed = ''] = containers.calls.filter((call) => call.startsWith('commit '));
    const parent = { kind: 'kept', id: committed.replace('commit ', '') };
    expect(spec('solve-2')?.mounts.at(-1)).toMatchObject({ kind: 'root', root: parent, access: 'copy' });
    expect(draft('root-2')?.parent).toEqual(parent);
    const filled = { kind: 'draft', id: 'fake-draft-2' };
    expect(spec('install-2')?.mounts).toContainEqual(
      expect.objectContaining({ kind: 'root', root: filled, access: 'write' }),
    );
    expect(await readFile(join(directory, 'in/install-2.sh'), 'utf8')).not.toContain('chown');
  });

  it('changes the root also when something only has to go', async () => {
    const { directory, withSource, created } = await openRootBench({
      outbound: (attempt) => (attempt === 2 ? ['bash-minimal'] : []),
      solve: (attempt) => (attempt === 1 ? ['bash', 'bash-minimal'] : []),
    });
    const root = await withSource(srpm('bash'));

    await root.addBuildRequires(never);

    expect(root.installed.map(({ name }) => name)).toEqual(['bash']);
    expect(created().slice(4)).toEqual(['solve-2', 'root-2', 'install-2', 'list-2']);
    expect(JSON.parse(await readFile(join(directory, 'in/transaction-2.json'), 'utf8'))).toEqual([
      { action: 'remove', name: 'bash-minimal-1-1.x86_64', header: '00' },
    ]);
  });

  it('makes a package that generates requirements again before it asks for any', async () => {
    const { directory, withSource, created } = await openRootBench({
      sources: [
        { srpms: { 'a-1-1.src.rpm': srpm(generated) } },
        { srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm() } },
      ],
    });
    const root = await withSource(srpm(generated));

    const ready = await root.addBuildRequires(never);

    expect(ready).toMatchObject({ remade: true, source: { generated: true } });
    expect(created().slice(4)).toEqual(['source-1', 'solve-2', 'source-2', 'solve-3']);
    expect(await readFile(join(directory, 'in/source-2.sh'), 'utf8')).toContain('-br --target');
  });

  it.each([0, 11])('fails with status 30 when rpmbuild -br ends with %i but lists nothing', async (code) => {
    const { withSource, logs } = await openRootBench({
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, { code }],
    });
    const root = await withSource();

    expect(await failureOf(root.addRemadeRequires(never))).toMatchObject({ status: 30 });
    expect(logs.texts.root).toContain('rpmbuild -br wrote no list of build requirements; see build.log\n');
  });

  it('fails with status 40 when package code leaves a package that has a path for a version', async () => {
    const { withSource } = await openRootBench({
      sources: [{ srpms: { 'a-1-1.src.rpm': toSourceRpm({ version: '../x' }) } }],
    });
    const root = await withSource();

    expect(await failureOf(root.addRemadeRequires(never))).toMatchObject({
      status: 40,
      blame: 'package',
      message:
        'rpmbuild -bs made a package that cannot be read and exited with status 40; see root.log for more information: a-1-1.src.rpm: bad main header: its version "../x" has a slash',
    });
  });

  it('fails with status 30 when a requirement cannot be had', async () => {
    const { withSource } = await openRootBench({
      solve: (attempt) => (attempt === 1 ? ['bash'] : 1),
    });
    const root = await withSource(srpm('nobody-has-it'));

    expect(await failureOf(root.addBuildRequires(never))).toMatchObject({
      status: 30,
      step: 'choose packages for build requirements (status 1)',
    });
  });

  it('says what is not a source package', async () => {
    const { withSource } = await openRootBench({});
    const root = await withSource(Buffer.from('<html>'));

    expect(String(await failureOf(root.addBuildRequires(never)))).toContain('not an RPM');
  });
});

describe('BuildEnvironment.addRemadeRequires', () => {
  it('asks for what the package wants when it is made again', async () => {
    const { directory, withSource, created, started } = await openRootBench({
      sources: [{ srpms: { 'hello-1.0-1.src.rpm': srpm('bash') } }],
    });
    const root = await withSource();

    const ready = await root.addRemadeRequires(never);

    expect(ready).toMatchObject({
      remade: true,
      source: { generated: false, path: join(directory, 'source-1/hello-1.0-1.src.rpm') },
    });
    expect(created().slice(4)).toEqual(['source-1', 'solve-2']);
    expect(started()).toEqual(['solve-1', 'install-1', 'list-1', 'source-1', 'solve-2']);
    expect(await readFile(join(directory, 'in/source-1.sh'), 'utf8')).toContain('-bs --target x86_64');
    expect(await readFile(join(directory, 'in/requires-1.src.rpm'))).toEqual(srpm('bash'));
  });

  it('looks again while the installed packages bring new requirements, and stops when they do not', async () => {
    const { withSource, created } = await openRootBench({
      solve: (attempt) => [`p${attempt}`],
      sources: [['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c']].map((requires) => ({
        srpms: { 'a-1-1.src.rpm': srpm(...requires) },
      })),
    });
    const root = await withSource();

    await root.addRemadeRequires(never);

    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(4);
    expect(created().filter((name) => name.startsWith('install'))).toHaveLength(1 + 3);
  });

  it('gives up looking after ten rounds, as mock does', async () => {
    let round = 0;
    const { withSource, created } = await openRootBench({
      solve: (attempt) => [`p${attempt}`],
      sources: Array.from({ length: 20 }, () => {
        round += 1;
        return { srpms: { 'a-1-1.src.rpm': srpm(`r${round}`) } };
      }),
    });
    const root = await withSource();

    const { source } = await root.addRemadeRequires(never);

    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(11);
    expect(source.requirements).toBe('r11 0 ');
  });

  it('installs generated requirements until rpmbuild finds nothing missing', async () => {
    const list = { code: 11, srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm('x') } };
    const { directory, withSource, created } = await openRootBench({
      solve: (attempt) => (attempt === 2 || attempt === 5 ? [] : [`p${attempt}`]),
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, list, list, { ...list, code: 0 }],
    });
    const root = await withSource();

    const { source } = await root.addRemadeRequires(never);

    expect(source.generated).toBe(true);
    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(4);
    expect(created().filter((name) => name.startsWith('install'))).toHaveLength(3);
    expect(await readFile(join(directory, 'in/source-2.sh'), 'utf8')).toContain('-br --target');
  });

  it('runs %prep once, in a home that all steps share and the build gets', async () => {
    const list = { code: 11, srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm('x') } };
    const { bench, directory, withSource, removed, spec } = await openRootBench({
      solve: (attempt) => (attempt === 2 || attempt === 5 ? [] : [`p${attempt}`]),
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, list, list, { ...list, code: 0 }],
      builds: [{ srpms: { 'a-1-1.src.rpm': 'written again' } }],
    });
    const root = await withSource(srpm(generated));

    await root.build(await root.addBuildRequires(never), never);

    const steps = ['source-1', 'source-2', 'source-3', 'source-4', 'build-1'];
    const scripts = await Promise.all(
      steps.map((name) => readFile(join(directory, `in/${name}.sh`), 'utf8')),
    );
    expect(scripts.map((script) => /exec "\$0" (.*?) --target/.exec(script)?.[1])).toEqual([
      ...['-bs', '-br', '-br --noprep', '-br --noprep', '-ba --noprep'],
    ]);
    const names = bench.containers.created.map(({ owner }) => `${owner.phase}-${owner.attempt}`);
    const id = (name: string) => `fake-${names.indexOf(name) + 1}`;
    for (const [index, name] of steps.entries()) {
      const before = steps[index - 1];
      const root = spec(name)?.root;
      expect(root).toMatchObject({ kind: 'layer' });
      expect(root).toEqual({ ...root, ...(before !== undefined && { after: id(before) }) });
    }
    await bench.removals.idle();
    expect(removed()).toEqual(expect.arrayContaining(['source-1', 'source-2', 'source-3']));
  });

  it('leaves nothing of its steps to a build without generated requirements', async () => {
    const { bench, directory, withSource, removed, spec } = await openRootBench({
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm() } }],
    });
    const root = await withSource();

    const ready = await root.addRemadeRequires(never);
    await bench.removals.idle();
    expect(removed()).toContain('source-1');
    await root.build(ready, never);

    expect(spec('build-1')?.root).not.toHaveProperty('after');
    expect(await readFile(join(directory, 'in/build-1.sh'), 'utf8')).toContain('"$rpm" -Uvh --nodeps');
  });

  it('ends the generated rounds when the list brings nothing new', async () => {
    const list = { code: 11, srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm('x') } };
    const { withSource, created } = await openRootBench({
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, list],
    });
    const root = await withSource();

    await root.addRemadeRequires(never);

    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(2);
  });

  it('gives up generating after ten rounds, as mock does', async () => {
    const list = { code: 11, srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm('x') } };
    const { withSource, created } = await openRootBench({
      solve: (attempt) => (attempt === 2 ? [] : [`p${attempt}`]),
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, list],
    });
    const root = await withSource();

    await root.addRemadeRequires(never);

    expect(created().filter((name) => name.startsWith('source'))).toHaveLength(1 + 10);
  });

  it('fails with status 40 and shows why in root.log when the source package cannot be unpacked', async () => {
    const { withSource, logs } = await openRootBench({
      sources: [{ code: 40, output: `${'long ago '.repeat(1000)}Source RPM is not installable:\n` }],
    });
    const root = await withSource();

    const error = await failureOf(root.addRemadeRequires(never));

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

    expect(await failureOf(root.addRemadeRequires(never))).toMatchObject({
      status,
      message: `rpmbuild -bs (status ${code}) exited with status ${status}; see ${log} for more information`,
    });
  });

  it('fails with status 10 when %generate_buildrequires fails', async () => {
    const { withSource } = await openRootBench({
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, { code: 1 }],
    });
    const root = await withSource();

    expect(await failureOf(root.addRemadeRequires(never))).toMatchObject({
      status: 10,
      step: 'rpmbuild -br (status 1)',
    });
  });

  it.each([
    ['none', {}],
    ['two', { 'a-1-1.src.rpm': srpm(), 'b-1-1.src.rpm': srpm() }],
  ])('fails with status 40 when rpmbuild -bs leaves %s', async (_count, srpms) => {
    const { withSource } = await openRootBench({ sources: [{ srpms }] });
    const root = await withSource();

    expect(await failureOf(root.addRemadeRequires(never))).toMatchObject({ status: 40 });
  });

  it('kills a source phase that takes longer than rpmbuild_timeout', async () => {
    const { clock, withSource } = await openRootBench({ sources: [{ runMs: Number.POSITIVE_INFINITY }] });
    const root = await withSource();

    const failing = failureOf(root.addRemadeRequires(never));
    await clock.asleep(3_600_000);
    await clock.advance(3_600_000);

    expect(await failing).toMatchObject({
      status: 11,
      message:
        'rpmbuild -bs exited with status 11; see root.log for more information: killed by rpmbuild_timeout after 3600 s',
    });
  });
});
