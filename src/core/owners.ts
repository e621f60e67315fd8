import { constants } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { resolve } from 'node:path';

/**
 * Says which directory on the way to an absolute path, itself included, a user other than root and this one could rename or put
 * things into, and by what; null where there is none. Links on the way are looked at, too.
 */
export async function whoElseOwns(path: string): Promise<string | null> {
  const own = process.getuid?.() ?? 0;
  for (const place of [...ancestors(path), ...ancestors(await realpath(path))]) {
    const { uid, gid, mode } = await lstat(place);
    const isSticky = (mode & 0o1000) !== 0;
    if (uid !== 0 && uid !== own) return `${place} belongs to user ${uid}, who could replace what is in it`;
    // A link says nothing about who may change it: that is up to the directory it lies in.
    if ((mode & constants.S_IFMT) === constants.S_IFLNK || isSticky) continue;
    if ((mode & 0o002) !== 0) return `every user may replace what is in ${place}`;
    if ((mode & 0o020) !== 0 && gid !== 0 && gid !== process.getgid?.())
      return `group ${gid} may replace what is in ${place}`;
  }
  return null;
}

/** `/`, `/a` and `/a/b` of `/a/b`. */
export function ancestors(path: string): readonly string[] {
  const parts = resolve(path).split('/').slice(1);
  return ['/', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)];
}
