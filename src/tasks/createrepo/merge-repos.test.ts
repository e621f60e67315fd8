import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { externalRow, repoRow } from '../../../test/support/hub-rows.ts';
import { failureOf } from '../../../test/support/root-bench.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { TaskRefused } from '../errors.ts';
import { createrepo } from './index.ts';
import { oldMergerepo } from './merge-script.ts';

async function setUp(externals: RpcValue[], mergerepo = async (_directory: string): Promise<number> => 0) {
  const bench = await openTaskBench({
    method: 'createrepo',
    behave: (directory) => (spec) => ({
      output: `${spec.owner.phase} ran\n`,
      async main() {
        const merging = spec.owner.phase === 'mergerepos';
        const repodata = join(directory, merging ? 'merge/repo/repodata' : 'out/repodata');
        await mkdir(repodata, { recursive: true });
        for (const name of merging ? ['repomd.xml', 'pkgorigins.gz'] : ['repomd.xml'])
          await writeFile(join(repodata, name), `${spec.owner.phase} ${name}`);
        return merging ? mergerepo(directory) : 0;
      },
    }),
  });
  bench.session.on('repoInfo', repoRow({ id: 75, state: 0 })).on('getExternalRepoList', externals);
  await bench.put('repos/f1-build/75/x86_64/pkglist', '');
  await bench.put('repos/f1-build/75/x86_64/blocklist', 'unwanted\n');
  await bench.put('repos/f1-build/75/groups/comps.xml', '<comps/>');
  const text = (path: string) => readFile(join(bench.directory, path), 'utf8');
  return { ...bench, text, run: () => bench.run(createrepo, 75, 'x86_64', null) };
}

describe('createrepo of a tag with external repos', () => {
  it('merges them with the repo of the tag and sends the result', async () => {
    const { session, run, context } = await setUp([externalRow()]);

    expect(await run()).toEqual(['tasks/5/5', ['pkgorigins.gz', 'repomd.xml']]);
    await context.logs.finish(context.signal);

    expect(session.of('getExternalRepoList')[0]).toMatchObject({ params: [11], keywords: { event: 500 } });
    expect(String(session.uploads.get('tasks/5/5/repomd.xml'))).toBe('mergerepos repomd.xml');
    expect(String(session.uploads.get('tasks/5/5/mergerepos.log'))).toBe('mergerepos ran\n');
    expect(String(session.uploads.get('tasks/5/5/createrepo.log'))).toBe('createrepo ran\n');
  });

  it('reaches the network, but of the hub only what it needs', async () => {
    const { run, containers, text } = await setUp([externalRow()]);

    await run();

    expect(containers.created.map(({ network }) => network)).toEqual(['none', 'host']);
    expect(containers.created[1]).toMatchObject({
      name: expect.stringMatching(/^koji-adjutant-[0-9a-f]{8}-5-mergerepos$/),
      capabilities: ['DAC_OVERRIDE'],
      env: { TMPDIR: '/adjutant/merge/tmp', http_proxy: 'http://proxy:3128' },
    });
    expect(containers.created[1]?.mounts).toEqual([
      { kind: 'work', path: 'tasks/5/5/in', target: '/adjutant/in', readOnly: true },
      { kind: 'work', path: 'tasks/5/5/out', target: '/adjutant/repo_75_premerge', readOnly: true },
      { kind: 'work', path: 'tasks/5/5/merge', target: '/adjutant/merge', readOnly: false },
    ]);
    expect(await text('in/blocklist')).toBe('unwanted\n');
    expect(await text('in/comps.xml')).toBe('<comps/>');
    expect(containers.created[0]?.env).not.toHaveProperty('http_proxy');
  });

  it('trusts what the host trusts', async () => {
    const { run, text } = await setUp([externalRow()]);

    await run();

    expect(await text('in/ca-bundle.crt')).toBe('AUTHORITIES\n');
    expect(await text('in/mergerepos.sh')).toContain('SSL_CERT_FILE=/adjutant/in/ca-bundle.crt');
  });

  it('names the repo of the tag first, then those for the arch in the order of the hub', async () => {
    const { run, text } = await setUp([
      externalRow({ arches: 'i386 x86_64' }),
      externalRow({ external_repo_id: 2, url: 'http://mirror/arm/', arches: 'aarch64' }),
      externalRow({ external_repo_id: 3, url: 'http://mirror/$arch/os/$arch/', arches: '' }),
    ]);

    await run();

    expect(await text('in/mergerepos.sh')).toContain(
      '-r file:///adjutant/repo_75_premerge/ -r http://mirror/ext/x86_64/ -r http://mirror/x86_64/os/x86_64/)\n',
    );
  });

  it.each([
    ['koji', 'mergerepo_c --koji -b /adjutant/in/blocklist -a x86_64'],
    [null, 'mergerepo_c --koji -b /adjutant/in/blocklist -a x86_64'],
    ['simple', 'mergerepo_c --koji --simple -b /adjutant/in/blocklist -a x86_64'],
    ['bare', 'mergerepo_c --pkgorigins --all -a x86_64'],
  ])('calls mergerepo_c for mode %s', async (mode, command) => {
    const { run, text } = await setUp([externalRow({ merge_mode: mode })]);

    await run();

    expect(await text('in/mergerepos.sh')).toContain(command);
  });

  it('does not mix modes', async () => {
    const { run } = await setUp([externalRow(), externalRow({ external_repo_id: 2, merge_mode: 'bare' })]);

    await expect(run()).rejects.toMatchObject({
      faultCode: 1000,
      message: "Found multiple merge modes for external repos: dict_keys(['koji', 'bare'])\n",
    });
  });

  it('never marks a repo with external repos as empty', async () => {
    const { run, session } = await setUp([externalRow({ arches: 'aarch64' })]);

    await run();

    expect([...session.uploads.keys()]).not.toContain('tasks/5/5/EMPTY_REPO');
  });

  it('fails with the log to read', async () => {
    const { run } = await setUp([externalRow()], async () => 1);

    await expect(run()).rejects.toMatchObject({
      faultCode: 1000,
      message:
        'failed to merge repos: mergerepo_c exited with status 1; see mergerepos.log for more information',
    });
  });

  it('says which version mode simple needs', async () => {
    const { run } = await setUp([externalRow({ merge_mode: 'simple' })], async (directory) => {
      await writeFile(join(directory, 'merge/version'), '0.12.1');
      return oldMergerepo;
    });

    await expect(run()).rejects.toMatchObject({
      faultCode: 1000,
      message: 'mergerepo_c is not installed or has low version: 0.12.1 (0.13.0 needed for --simple)',
    });
  });

  it("leaves repos on a builder's own disk to others", async () => {
    const { run } = await setUp([externalRow({ url: 'file:///mnt/mirror/' })]);

    const refusal = await failureOf(run());

    expect(refusal).toBeInstanceOf(TaskRefused);
    expect(refusal).toMatchObject({
      disposition: 'refuse-hard',
      message: expect.stringContaining('file:///mnt/mirror/'),
    });
  });
});
