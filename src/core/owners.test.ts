import { chmod, chown, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { whoElseOwns } from './owners.ts';

describe('whoElseOwns', () => {
  let top: string;
  let place: string;
  beforeEach(async () => {
    top = await mkdtemp(join(tmpdir(), 'owners-'));
    place = join(top, 'a/b');
    await mkdir(place, { recursive: true, mode: 0o755 });
  });
  afterEach(() => rm(top, { recursive: true }));

  it('is nobody where only root and this user may change anything, below /tmp, too', async () => {
    expect(await whoElseOwns(place)).toBeNull();
  });

  it('is everybody who may write to a directory on the way', async () => {
    await chmod(join(top, 'a'), 0o777);

    expect(await whoElseOwns(place)).toBe(`every user may replace what is in ${join(top, 'a')}`);
  });

  it('is nobody for a directory in which everybody can only remove what is theirs', async () => {
    await chmod(join(top, 'a'), 0o1777);

    expect(await whoElseOwns(place)).toBeNull();
  });

  it('is nobody for the own group, as with a umask of 002', async () => {
    await chmod(join(top, 'a'), 0o775);

    expect(await whoElseOwns(place)).toBeNull();
  });

  it.skipIf(process.getuid?.() !== 0)('is another user, of a directory or of a link', async () => {
    const link = join(top, 'link');
    await symlink('a', link);
    expect(await whoElseOwns(join(link, 'b'))).toBeNull();
    await chown(join(top, 'a'), 65_534, 0);

    expect(await whoElseOwns(place)).toBe(
      `${join(top, 'a')} belongs to user 65534, who could replace what is in it`,
    );
    // By the link, too.
    expect(await whoElseOwns(join(link, 'b'))).toContain('belongs to user 65534');
  });

  it.skipIf(process.getuid?.() !== 0)('is another group', async () => {
    await chown(join(top, 'a'), 0, 65_534);
    await chmod(join(top, 'a'), 0o775);

    expect(await whoElseOwns(place)).toBe(`group 65534 may replace what is in ${join(top, 'a')}`);
  });
});
