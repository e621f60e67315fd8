import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { never } from '../../src/core/never.ts';
import { readRpmHeader } from '../../src/rpm/header.ts';
import { fileNameOf, type PackageToWrite, writeRpm } from '../../src/rpm/rpm-file.ts';

const missing = spawnSync('rpm', ['--version']).status === 0 ? '' : ': rpm is not installed';

const binary: PackageToWrite = {
  name: 'written',
  version: '1',
  release: '2',
  arch: 'noarch',
  summary: 'Written here',
  sourceRpm: 'written-1-2.src.rpm',
  requires: ['bash', 'other'],
  preIn: 'echo before\n',
  builtTs: 1_700_000_000,
  files: [
    {
      path: '/usr/b',
      kind: 'file',
      mode: 0o4755,
      content: Buffer.from('hello'),
      capabilities: 'cap_net_raw=p',
    },
    { path: '/usr/a-b/x', kind: 'file', mode: 0o644, content: Buffer.alloc(100_000, 7) },
    { path: '/usr/a', kind: 'directory', mode: 0o2775, content: Buffer.alloc(0), user: 'u', group: 'g' },
    { path: '/usr/a/l', kind: 'link', mode: 0o777, content: Buffer.from('../b') },
    { path: '/etc/c', kind: 'file', mode: 0o600, content: Buffer.from('c'), mayChange: true },
  ],
};
const source: PackageToWrite = {
  ...binary,
  sourceRpm: null,
  files: [{ path: 'written.spec', kind: 'file', mode: 0o644, content: Buffer.from('Name: written\n') }],
};

describe.skipIf(missing !== '')(`packages that were written here${missing}`, () => {
  let directory: string;
  let paths: Readonly<Record<'binary' | 'source', string>>;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-rpm-'));
    paths = { binary: join(directory, fileNameOf(binary)), source: join(directory, fileNameOf(source)) };
    await writeFile(paths.binary, await writeRpm(binary));
    await writeFile(paths.source, await writeRpm(source));
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  const rpm = (...words: readonly string[]) => execFileSync('rpm', [...words], { encoding: 'utf8' });

  it('have the digests that rpm expects', () => {
    const said = rpm('-Kv', paths.binary, paths.source);

    expect(said.match(/digest: OK/g)?.length).toBeGreaterThanOrEqual(6);
    expect(said).not.toMatch(/BAD|NOTFOUND/);
  });

  it('have the files that rpm reads out of them', () => {
    const format =
      '[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME} %{FILESIZES} %{FILECAPS} %{FILELINKTOS}\n]';

    expect(
      rpm('-qp', '--qf', format, paths.binary)
        .trim()
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual([
      '/etc/c -rw------- root 1',
      '/usr/a drwxrwsr-x u 4096',
      '/usr/a-b/x -rw-r--r-- root 100000',
      '/usr/a/l lrwxrwxrwx root 4  ../b',
      '/usr/b -rwsr-xr-x root 5 cap_net_raw=p',
    ]);
    expect(rpm('-qpl', paths.source)).toBe('written.spec\n');
    expect(rpm('-qp', '--requires', '--scripts', paths.binary)).toMatch(
      /bash\nother\npreinstall.*\necho before/,
    );
  });

  it('are read back by our own reader', async () => {
    const [read, readSource] = [
      await readRpmHeader(paths.binary, never),
      await readRpmHeader(paths.source, never),
    ];

    expect([read.name, read.isSource, readSource.isSource]).toEqual(['written', false, true]);
    expect(readSource.dependencies('requires').map(({ name }) => name)).toEqual(['bash', 'other']);
  });
});
