import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { externalRow } from '../../../test/support/hub-rows.ts';
import { never } from '../../core/never.ts';
import { ExternalRepo } from '../../hub/api/schema.ts';
import { HubFiles } from '../../hub/files.ts';
import { BuildrootUnavailable } from '../errors.ts';
import type { InstalledPackage } from '../root/installed-packages.ts';
import { findOrigins, markExternal, parseOrigins, readOrigins, UnknownOrigin } from './package-origins.ts';

const fixtures = new URL('../../../test/fixtures/external-repo', import.meta.url).pathname;
const place = 'repos/f1-build/75/x86_64';
const mirror = 'http://127.0.0.1:8391/ext/x86_64/';
const local = 'file:///tmp/repo_75_premerge/';

/** A hub's tree with the metadata of a merged repo. */
async function publish() {
  const top = await mkdtemp(join(tmpdir(), 'origins-'));
  onTestFinished(() => rm(top, { recursive: true }));
  const repodata = join(top, place, 'repodata');
  await mkdir(repodata, { recursive: true });
  for (const name of await readdir(fixtures)) await cp(join(fixtures, name), join(repodata, name));
  return { repodata, read: () => readOrigins(new HubFiles([], top), place, never) };
}

const repos = [
  externalRow({ external_repo_id: 4, url: 'http://127.0.0.1:8391/other/' }),
  externalRow({ external_repo_id: 5, url: 'http://127.0.0.1:8391/ext/$arch/' }),
].map((row) => ExternalRepo.parse(row));

const installed = (name: string): InstalledPackage => ({
  name,
  epoch: null,
  version: '1',
  release: '1.td1',
  arch: 'noarch',
  payloadhash: 'a'.repeat(32),
  size: 1,
  buildtime: 1,
});
const mark = (origins: Record<string, string>, ...names: string[]) =>
  markExternal(names.map(installed), {
    repoId: 75,
    arch: 'x86_64',
    externals: repos,
    origins: new Map(Object.entries(origins).map(([name, url]) => [`${name}-1-1.td1.noarch`, url])),
  });

describe('readOrigins', () => {
  it('reads what mergerepo_c has written', async () => {
    const { read } = await publish();

    expect(await read()).toEqual(
      new Map([
        ['leaf-a-1-1.td1.noarch', local],
        ['libgpg-error0-1.46-1.td1.x86_64', local],
        ['leaf-b-2-1.td1.noarch', mirror],
        ['bash-5.2.15-2+b13.td1.x86_64', mirror],
        ['adduser-3.134-1.td1.noarch', mirror],
      ]),
    );
  });

  it('says that a repo without origins has to be made again', async () => {
    const { read, repodata } = await publish();
    const path = join(repodata, 'repomd.xml');
    await writeFile(path, (await readFile(path, 'utf8')).replace('type="origin"', 'type="other"'));

    await expect(read()).rejects.toMatchObject({
      faultCode: 1012,
      message: expect.stringMatching(/75\/x86_64\/repodata\/repomd.xml.*made again/),
    });
  });

  it.each(['repomd.xml', 'pkgorigins.gz'])('names a %s that is damaged', async (name) => {
    const { read, repodata } = await publish();
    const found = (await readdir(repodata)).find((file) => file.endsWith(name)) ?? '';
    await writeFile(join(repodata, found), '<no');

    await expect(read()).rejects.toThrow(BuildrootUnavailable);
    await expect(read()).rejects.toThrow(`${place}/repodata/${found}`);
  });

  it.each(['repomd.xml', 'pkgorigins.gz'])('rejects without a %s', async (name) => {
    const { read, repodata } = await publish();
    const found = (await readdir(repodata)).find((file) => file.endsWith(name)) ?? '';
    await rm(join(repodata, found));

    await expect(read()).rejects.toMatchObject({ code: 'hub-file-missing' });
  });
});

describe('findOrigins', () => {
  it('finds the one location among others', async () => {
    const repomd = await readFile(join(fixtures, 'repomd.xml'), 'utf8');

    expect(findOrigins(repomd)).toMatch(/^repodata\/3046c22c.*-pkgorigins\.gz$/);
    expect(findOrigins('<repomd><data type="primary"><location href="a"/></data></repomd>')).toBeNull();
  });
});

describe('parseOrigins', () => {
  it('takes the epoch away and passes over lines without a URL', () => {
    expect(parseOrigins('1:a-2-3.x86_64 http://a/ more\n\nb-1-1.noarch\n')).toEqual(
      new Map([['a-2-3.x86_64', 'http://a/']]),
    );
  });

  it('takes the last of two lines for a package', () => {
    expect(parseOrigins('a-2-3.x86_64\thttp://a/\na-2-3.x86_64\thttp://b/\n').get('a-2-3.x86_64')).toBe(
      'http://b/',
    );
  });
});

describe('markExternal', () => {
  it('names the external repo by its URL for the arch, and leaves packages of the hub', () => {
    expect(mark({ a: mirror, b: local }, 'a', 'b')).toEqual([
      { ...installed('a'), location: 5 },
      installed('b'),
    ]);
  });

  it.each([
    ['No origin for a-1-1.td1.noarch', {}],
    ['Unknown origin for a-1-1.td1.noarch: http://else/', { a: 'http://else/' }],
    [
      'Unknown origin for a-1-1.td1.noarch: file:///tmp/repo_76_premerge/',
      { a: 'file:///tmp/repo_76_premerge/' },
    ],
    ['Unknown origin for a-1-1.td1.noarch: http://h/repo_75_premerge/', { a: 'http://h/repo_75_premerge/' }],
  ])('refuses: %s', (message, origins) => {
    expect(() => mark(origins, 'a')).toThrow(UnknownOrigin);
    expect(() => mark(origins, 'a')).toThrow(message);
  });
});
