import { statfs } from 'node:fs/promises';

/** With less than this a program that says that there is no room may be right: it may have wanted that much. */
const scarceBytes = 2 * 2 ** 30;
const scarceFiles = 10_000;

/** Whether one of these directories' file systems is short of room or of inodes at this moment. One that is not there is not. */
export async function isShortOfRoom(directories: readonly string[]): Promise<boolean> {
  const short = directories.map(async (directory) => {
    const facts = await statfs(directory).catch(() => null);
    if (facts === null) return false;
    const { bavail, bsize, files, ffree } = facts;
    return bavail * bsize < scarceBytes || (files > 0 && ffree < scarceFiles);
  });
  return (await Promise.all(short)).includes(true);
}
