import { lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { never } from '../../core/never.ts';
import { printableJson } from '../../core/printable.ts';
import { collectFiles } from './collect-results.ts';
import { ResultsBudget } from './results-budget.ts';

const plenty = () => new ResultsBudget('rpmbuild', undefined);
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'collect-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

type Headers = Omit<Partial<Header>, 'size'> & { readonly name: string };
type Entry = readonly [headers: Headers, content?: string];

async function toTar(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const [headers, content] of entries) tar.entry(headers, content ?? '');
  tar.finalize();
  return buffer(Readable.from(tar));
}

const collect = async (...entries: Entry[]) =>
  collectFiles(Readable.from([await toTar(entries)]), directory, '.rpm', plenty(), never);

describe('the budget of results', () => {
  const small = () => new ResultsBudget('rpmbuild', 1024 * 1024);
  const tooMuch = { status: 247, blame: 'package', message: expect.stringContaining('more than 1 MiB') };

  it('counts what a hole says that it has, before a byte of it is written', async () => {
    const tar = pack();
    tar.on('error', () => undefined);
    // The head of a file of 100 TiB, as a hole is packed.
    tar.entry({ name: 'RPMS/hole.rpm', size: 100 * 2 ** 40 }).on('error', () => undefined);
    const collecting = collectFiles(Readable.from(tar), directory, '.rpm', small(), never);

    await expect(collecting).rejects.toMatchObject(tooMuch);
    expect(await readdir(directory)).toEqual([]);
  });

  it('counts each name of a file, and what is no result', async () => {
    const content = 'x'.repeat(400 * 1024);
    const links = await toTar([
      [{ name: 'RPMS/a.rpm' }, content],
      [{ name: 'RPMS/b.rpm', type: 'link', linkname: 'RPMS/a.rpm' }],
      [{ name: 'RPMS/c.rpm', type: 'link', linkname: 'RPMS/a.rpm' }],
    ]);
    const others = await toTar(['a', 'b', 'c'].map((name) => [{ name: `RPMS/${name}.txt` }, content]));

    for (const tar of [links, others])
      await expect(
        collectFiles(Readable.from([tar]), directory, '.rpm', small(), never),
      ).rejects.toMatchObject(tooMuch);
  });

  it('is one for all that a step has left', async () => {
    const budget = small();
    const tar = await toTar([[{ name: 'RPMS/a.rpm' }, 'x'.repeat(700 * 1024)]]);
    await collectFiles(Readable.from([tar]), directory, '.rpm', budget, never);

    await expect(collectFiles(Readable.from([tar]), directory, '.rpm', budget, never)).rejects.toMatchObject(
      tooMuch,
    );
  });
});

describe('collectFiles', () => {
  it('tells of the first few that it passes over or refuses, and how many more there are', async () => {
    const names = Array.from({ length: 25 }, (_each, index) => `RPMS/${index}`);

    const { refused, passedOver } = await collect(
      ...names.map((name): Entry => [{ name: `${name}.txt` }]),
      ...names.map((name): Entry => [{ name: `${name}.rpm`, type: 'symlink', linkname: '/etc/passwd' }]),
    );

    for (const told of [refused, passedOver]) {
      expect(told).toHaveLength(21);
      expect(told.at(-1)).toBe('and 5 more');
    }
  });

  it('takes the files of the directory, in order and with their content', async () => {
    const collected = await collect(
      [{ name: 'RPMS/', type: 'directory' }],
      [{ name: 'RPMS/b.rpm', mode: 0o4777 }, 'bbb'],
      [{ name: './RPMS/a.rpm' }, 'aaa'],
      [{ name: 'RPMS/empty.rpm' }],
    );

    expect(collected).toEqual({ files: ['b.rpm', 'a.rpm', 'empty.rpm'], refused: [], passedOver: [] });
    expect(await readFile(join(directory, 'b.rpm'), 'utf8')).toBe('bbb');
    expect(await readFile(join(directory, 'a.rpm'), 'utf8')).toBe('aaa');
    expect((await lstat(join(directory, 'b.rpm'))).mode & 0o7777 & ~0o644).toBe(0);
  });

  it.each<[string, Headers, string]>([
    ['a symbolic link', { name: 'RPMS/x.rpm', type: 'symlink', linkname: '/etc/passwd' }, 'a symlink'],
    ['a link out', { name: 'RPMS/x.rpm', type: 'symlink', linkname: '../RPMS/good.rpm' }, 'a symlink'],
    ['a link to nothing', { name: 'RPMS/x.rpm', type: 'symlink', linkname: 'gone.rpm' }, 'a symlink'],
    ['a link to another kind', { name: 'RPMS/x.rpm', type: 'symlink', linkname: 'note.txt' }, 'a symlink'],
    ['a hard link elsewhere', { name: 'RPMS/x.rpm', type: 'link', linkname: 'SRPMS/good.rpm' }, 'a link'],
    ['a character device', { name: 'RPMS/x.rpm', type: 'character-device' }, 'a character-device'],
    ['a block device', { name: 'RPMS/x.rpm', type: 'block-device' }, 'a block-device'],
    ['a fifo', { name: 'RPMS/x.rpm', type: 'fifo' }, 'a fifo'],
    ['a directory named like a package', { name: 'RPMS/x.rpm/', type: 'directory' }, 'a directory'],
    ['a path that leads out', { name: '../x.rpm' }, 'not a file name'],
    ['a line feed in the name', { name: 'RPMS/a\nb.rpm' }, 'not a file name'],
    ['an escape in the name', { name: 'RPMS/\u001b[1m.rpm' }, 'not a file name'],
    ['a control of terminals that is one character', { name: 'RPMS/\u009b1m.rpm' }, 'not a file name'],
    ['a turn of the direction', { name: 'RPMS/\u202egpj.rpm' }, 'not a file name'],
    ['more bytes than a name can have', { name: `RPMS/${'n'.repeat(252)}.rpm` }, 'not a file name'],
    [
      'a link with such a name',
      { name: 'RPMS/a\nb.rpm', type: 'symlink', linkname: 'good.rpm' },
      'not a file name',
    ],
    ['a name twice', { name: 'RPMS/good.rpm' }, 'the same name twice'],
  ])('refuses %s, named like a package, and says why', async (_what, headers, reason) => {
    const collected = await collect([{ name: 'RPMS/good.rpm' }, 'good'], [headers], [{ name: 'RPMS/z.rpm' }]);

    expect(collected).toEqual({
      files: ['good.rpm', 'z.rpm'],
      refused: [expect.stringContaining(reason)],
      passedOver: [],
    });
    expect(collected.refused[0]).toContain(printableJson(JSON.stringify(headers.name)));
    expect((await readdir(directory)).sort()).toEqual(['good.rpm', 'z.rpm']);
    expect(await readFile(join(directory, 'good.rpm'), 'utf8')).toBe('good');
  });

  it.each<[string, Headers, string]>([
    ['a file in a deeper directory', { name: 'RPMS/noarch/x.rpm' }, 'in a directory of its own'],
    ['a path that leads far out', { name: 'RPMS/../../x.rpm' }, 'in a directory of its own'],
    ['a hidden file', { name: 'RPMS/.x.rpm' }, 'hidden'],
    ['a file of another kind', { name: 'RPMS/x.txt' }, 'does not end in .rpm'],
    ['a link of another kind', { name: 'RPMS/x', type: 'symlink', linkname: '/etc' }, 'does not end in .rpm'],
    ['a pipe of another kind', { name: 'RPMS/pipe', type: 'fifo' }, 'does not end in .rpm'],
  ])('leaves %s where it is and says why', async (_what, headers, reason) => {
    const collected = await collect([{ name: 'RPMS/good.rpm' }, 'good'], [headers], [{ name: 'RPMS/z.rpm' }]);

    expect(collected).toEqual({
      files: ['good.rpm', 'z.rpm'],
      refused: [],
      passedOver: [expect.stringContaining(reason)],
    });
    expect(collected.passedOver[0]).toContain(JSON.stringify(headers.name));
    expect((await readdir(directory)).sort()).toEqual(['good.rpm', 'z.rpm']);
  });

  it.each<[string, Headers]>([
    ['a symbolic link', { name: 'RPMS/alias.rpm', type: 'symlink', linkname: 'good.rpm' }],
    [
      'a symbolic link by another spelling',
      { name: 'RPMS/alias.rpm', type: 'symlink', linkname: './good.rpm' },
    ],
    ['a hard link', { name: './RPMS/alias.rpm', type: 'link', linkname: 'RPMS/good.rpm' }],
  ])('takes %s to a package beside it as a copy', async (_what, headers) => {
    const collected = await collect([headers], [{ name: 'RPMS/good.rpm' }, 'good']);

    expect(collected).toEqual({ files: ['good.rpm', 'alias.rpm'], refused: [], passedOver: [] });
    expect((await lstat(join(directory, 'alias.rpm'))).isFile()).toBe(true);
    expect(await readFile(join(directory, 'alias.rpm'), 'utf8')).toBe('good');
  });

  it('takes a link over other links as a copy, and none that leads in a circle', async () => {
    const link = (name: string, linkname: string): [Headers] => [
      { name: `RPMS/${name}`, type: 'symlink', linkname },
    ];

    const collected = await collect(
      link('far.rpm', 'near.rpm'),
      link('near.rpm', 'good.rpm'),
      [{ name: 'RPMS/good.rpm' }, 'good'],
      link('one.rpm', 'other.rpm'),
      link('other.rpm', 'one.rpm'),
    );

    expect(collected.files).toEqual(['good.rpm', 'far.rpm', 'near.rpm']);
    expect(collected.refused).toHaveLength(2);
    expect(await readFile(join(directory, 'far.rpm'), 'utf8')).toBe('good');
  });

  it('takes what ends in the suffix only', async () => {
    const tar = await toTar([[{ name: 'SRPMS/x.src.rpm' }], [{ name: 'SRPMS/x.rpm' }]]);

    const { files } = await collectFiles(Readable.from([tar]), directory, '.src.rpm', plenty(), never);

    expect(files).toEqual(['x.src.rpm']);
  });

  it('takes none of many links that lead to nothing or in a circle', async () => {
    const link = (name: string, to: string): Entry => [
      { name: `RPMS/${name}`, type: 'symlink', linkname: to },
    ];
    const chain = Array.from({ length: 2000 }, (_each, index) => link(`${index}.rpm`, `${index + 1}.rpm`));
    const circle = Array.from({ length: 2000 }, (_each, index) =>
      link(`c${index}.rpm`, `c${(index + 1) % 2000}.rpm`),
    );

    const { files, refused } = await collect(...chain, ...circle);

    expect(files).toEqual([]);
    expect(refused.at(-1)).toBe('and 3980 more');
  });

  it('makes a thousand copies of packages at most', async () => {
    const links = Array.from(
      { length: 1002 },
      (_each, index): Entry => [{ name: `RPMS/${index}.rpm`, type: 'symlink', linkname: 'x.rpm' }],
    );

    const { files, refused } = await collect([{ name: 'RPMS/x.rpm' }, 'x'], ...links);

    expect(files).toHaveLength(1001);
    expect(refused).toEqual(
      ['1000', '1001'].map(
        (name) =>
          `"RPMS/${name}.rpm": a symlink, not a regular file, and there are more than 1000 such links`,
      ),
    );
  });

  it('takes a file of a directory that was made from a link only as the file it is', async () => {
    const collected = await collect(
      [{ name: 'RPMS', type: 'symlink', linkname: '/etc' }],
      [{ name: 'RPMS/x.rpm' }, 'x'],
    );

    expect(collected).toEqual({
      files: ['x.rpm'],
      refused: [],
      passedOver: ['"RPMS": does not end in .rpm'],
    });
    expect((await lstat(join(directory, 'x.rpm'))).isFile()).toBe(true);
  });

  it('takes the later of two files that have one name in two directories', async () => {
    await collect([{ name: 'RPMS/x.rpm' }, 'the first']);

    await collect([{ name: 'SRPMS/x.rpm' }, 'second']);

    expect(await readFile(join(directory, 'x.rpm'), 'utf8')).toBe('second');
  });

  it('does not hold a large file in memory or lose a byte of it', async () => {
    const content = 'x'.repeat(5_000_000);
    const tar = await toTar([[{ name: 'RPMS/big.rpm' }, content]]);
    const chunks = Array.from({ length: Math.ceil(tar.length / 1000) }, (_, i) =>
      tar.subarray(i * 1000, (i + 1) * 1000),
    );

    await collectFiles(Readable.from(chunks), directory, '.rpm', plenty(), never);

    expect(await readFile(join(directory, 'big.rpm'), 'utf8')).toBe(content);
  });

  it('rejects when the stream ends in the middle of a file', async () => {
    const tar = await toTar([[{ name: 'RPMS/x.rpm' }, 'x'.repeat(5000)]]);

    const collecting = collectFiles(
      Readable.from([tar.subarray(0, 3000)]),
      directory,
      '.rpm',
      plenty(),
      never,
    );

    await expect(collecting).rejects.toThrow();
  });

  it('rejects with the error of the stream', async () => {
    const tar = await toTar([[{ name: 'RPMS/x.rpm' }, 'x'.repeat(5000)]]);
    const broken = Readable.from(
      (async function* () {
        yield tar.subarray(0, 3000);
        throw new Error('engine went away');
      })(),
    );

    await expect(collectFiles(broken, directory, '.rpm', plenty(), never)).rejects.toThrow(
      'engine went away',
    );
  });

  it('stops in the middle of a file when it is aborted, and lets the stream go', async () => {
    const tar = await toTar([[{ name: 'RPMS/x.rpm' }, 'x'.repeat(5000)]]);
    const endless = new PassThrough();
    endless.write(tar.subarray(0, 3000));
    const abort = new AbortController();

    const collecting = collectFiles(endless, directory, '.rpm', plenty(), abort.signal);
    await new Promise(setImmediate);
    abort.abort(new Error('cancelled'));

    await expect(collecting).rejects.toThrow();
    expect(endless.destroyed).toBe(true);
  });

  it('rejects when the target cannot be written', async () => {
    await rm(directory, { recursive: true });

    await expect(collect([{ name: 'RPMS/x.rpm' }, 'x'], [{ name: 'RPMS/y.rpm' }, 'y'])).rejects.toMatchObject(
      { code: 'ENOENT' },
    );
  });
});
