import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { hubRepo, type PackageRepo } from '../../buildroot/plan/repos.ts';
import { Fetcher } from '../../cache/fetcher.ts';
import { never } from '../../core/never.ts';
import { BadRepo, checkGroup, readGroups } from './repo-groups.ts';

const urls = new Fetcher({}, new ManualClock());

const comps = (...ids: readonly string[]) =>
  `<comps>${ids.map((id) => `<group><id>${id}</id><name>a name</name></group>`).join('')}<category><id>c</id></category></comps>`;

/** A repo with these parts by type, each with the name of its file and its content. */
async function makeRepo(
  parts: Readonly<Record<string, readonly [string, Uint8Array | string]>>,
): Promise<PackageRepo> {
  const directory = await mkdtemp(join(tmpdir(), 'repo-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, 'repodata'));
  const data = Object.entries(parts).map(
    ([type, [name]]) => `<data type="${type}"><location href="repodata/${name}"/></data>`,
  );
  await writeFile(join(directory, 'repodata/repomd.xml'), `<repomd>${data.join('')}</repomd>`);
  for (const [name, content] of Object.values(parts))
    await writeFile(join(directory, 'repodata', name), content);
  return hubRepo([`${pathToFileURL(directory).href}/`]);
}

describe('readGroups', () => {
  it.each([
    ['as they are', 'comps.xml', comps('build', 'other')],
    ['packed by gzip', 'comps.xml.gz', gzipSync(comps('build', 'other'))],
    ['packed by zstd', 'comps.xml.zst', zstdCompressSync(comps('build', 'other'))],
  ])('reads groups %s', async (_how, name, content) => {
    expect(await readGroups([await makeRepo({ group: [name, content] })], urls, never)).toEqual([
      'build',
      'other',
    ]);
  });

  it('takes the first form of them that it can read', async () => {
    const repo = await makeRepo({ group_xz: ['c.xml.xz', '?'], group: ['c.xml', comps('build')] });

    expect(await readGroups([repo], urls, never)).toEqual(['build']);
  });

  it('cannot tell where they are packed in another way', async () => {
    expect(await readGroups([await makeRepo({ group_xz: ['c.xml.xz', '?'] })], urls, never)).toBeNull();
  });

  it('says which repo is none', async () => {
    const url = 'file:///no/such/repo';

    await expect(readGroups([hubRepo([url])], urls, never)).rejects.toThrow(
      `${url} is not a usable repo: cannot read ${url}/repodata/repomd.xml: there is no such file`,
    );
  });
});

describe('checkGroup', () => {
  it('is content when one of the repos has the group', async () => {
    const repos = [await makeRepo({}), await makeRepo({ group: ['c.xml', comps('build')] })];

    await checkGroup('build', repos, urls, never);
  });

  it('names the groups there are', async () => {
    const repo = await makeRepo({ group: ['c.xml', comps('core', 'tools')] });

    await expect(checkGroup('build', [repo], urls, never)).rejects.toThrow(
      'the repo has no package group "build", but "core", "tools": name the group that a buildroot starts from with --group, or its packages with --packages',
    );
    await expect(checkGroup('build', [repo], urls, never)).rejects.toBeInstanceOf(BadRepo);
  });

  it('says so when there are none at all', async () => {
    await expect(checkGroup('build', [await makeRepo({}), await makeRepo({})], urls, never)).rejects.toThrow(
      'none of the repos has a package group "build", nor any other group',
    );
  });
});
