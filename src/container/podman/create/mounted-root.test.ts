import { execFileSync } from 'node:child_process';
import { link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../../../test/support/temporary-directory.ts';
import { never } from '../../../core/never.ts';
import { packMounted } from './mounted-root.ts';

const isRoot = process.getuid?.() === 0;

/** A file system of its own, as a mounted root is. */
async function mounted(): Promise<string> {
  const directory = await temporaryDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]);
  onTestFinished(() => void execFileSync('umount', [directory]));
  return directory;
}

/** What a packed path holds: type and content or target, by name. */
async function packed(root: string, path: string): Promise<Record<string, string> | null> {
  const tar = await packMounted(root, path, never);
  if (tar === null) return null;
  const found: Record<string, string> = {};
  for await (const entry of tar.pipe(extract())) {
    const { name, type, linkname } = entry.header;
    found[name] = `${type} ${linkname ?? (await buffer(entry)).toString()}`.trim();
    entry.resume();
  }
  return found;
}

describe('packMounted', () => {
  it('leaves what is not mounted for this process to the engine', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'file'), 'of the host');

    expect(await packMounted(directory, '/file', never)).toBeNull();
    expect(await packMounted(join(directory, 'none'), '/file', never)).toBeNull();
  });
});

describe.skipIf(!isRoot)('packMounted of a mounted root (only root can mount one)', () => {
  it('ends without a trace when the reader gives up with an error', async () => {
    const root = await mounted();
    await mkdir(join(root, 'out'));
    await writeFile(join(root, 'out/a.rpm'), Buffer.alloc(2 * 1024 * 1024));
    const tar = await packMounted(root, '/out', never);

    tar?.on('error', () => undefined).destroy(new Error('given up'));

    // What nobody hears would end the process, and with it this test.
    await expect(packed(root, '/out')).resolves.toHaveProperty(['out/a.rpm']);
  });

  it('packs a file once, whatever many names it has', async () => {
    const root = await mounted();
    await mkdir(join(root, 'out'));
    await writeFile(join(root, 'out/a.rpm'), 'A');
    for (const name of ['b.rpm', 'c.rpm']) await link(join(root, 'out/a.rpm'), join(root, 'out', name));

    const found = Object.values((await packed(root, '/out')) ?? {});

    expect(found.filter((each) => each === 'file A')).toHaveLength(1);
    expect(found.filter((each) => each.startsWith('link out/'))).toHaveLength(2);
  });

  it('packs a directory with its own name and all that is in it', async () => {
    const root = await mounted();
    await mkdir(join(root, 'out/sub'), { recursive: true });
    await writeFile(join(root, 'out/a.rpm'), 'A');
    await writeFile(join(root, 'out/sub/b'), 'B');
    await writeFile(Buffer.concat([Buffer.from(`${root}/out/`), Buffer.from([0xff])]), 'no text');
    execFileSync('mkfifo', [join(root, 'out/pipe')]);

    expect(await packed(root, '/out')).toEqual({
      out: 'directory',
      'out/a.rpm': 'file A',
      'out/pipe': 'fifo',
      'out/sub': 'directory',
      'out/sub/b': 'file B',
      'out/\ufffd': 'file no text',
    });
    expect(await packed(root, 'out/a.rpm')).toEqual({ 'a.rpm': 'file A' });
  });

  it("follows no link: those below are packed as such, one on the way is the engine's to resolve", async () => {
    const root = await mounted();
    await mkdir(join(root, 'out'));
    await symlink('/etc/passwd', join(root, 'out/a.rpm'));
    await symlink('/etc', join(root, 'RPMS'));

    expect(await packed(root, '/out')).toEqual({ out: 'directory', 'out/a.rpm': 'symlink /etc/passwd' });
    expect(await packed(root, '/RPMS')).toBeNull();
    expect(await packed(root, '/RPMS/passwd')).toBeNull();
  });

  it('has its own word for a path that is not there', async () => {
    const root = await mounted();
    await writeFile(join(root, 'file'), '');

    for (const path of ['/none', '/none/deeper', '/file/below'])
      await expect(packMounted(root, path, never)).rejects.toMatchObject({ code: 'no-such-path' });
  });

  it('leaves out what lies too deep for a path', async () => {
    const root = await mounted();
    await mkdir(join(root, 'out'));
    // Made step by step, from one working directory to the next.
    const script =
      'import os,sys\nos.chdir(sys.argv[1])\nfor i in range(30):\n os.mkdir("d"*200); os.chdir("d"*200)';
    execFileSync('python3', ['-c', script, join(root, 'out')]);

    const names = Object.keys((await packed(root, '/out')) ?? {});

    expect(names.length).toBeGreaterThan(10);
    expect(names.length).toBeLessThan(30);
  });
});
