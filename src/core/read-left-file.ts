import { constants, open } from 'node:fs/promises';

/** What lies there is no file as a container should have left it, or more than was allowed. */
export class NotALeftFile extends Error {
  override readonly name = 'NotALeftFile';
}

/**
 * The content of a file that a container had in its hands: a regular file with one name, read without following a link,
 * opened without waiting for anybody, and of at most `mostBytes`, also where it grows meanwhile. Throws `NotALeftFile`,
 * without a word of its content, and the system's error where there is none. Only the last part of `path` may be the container's.
 */
export async function readLeftFile(path: string, mostBytes: number): Promise<Buffer> {
  await using file = await openItself(path);
  const { size, nlink, ...facts } = await file.stat();
  const isRegular = (facts.mode & constants.S_IFMT) === constants.S_IFREG;
  if (!isRegular || nlink !== 1) throw new NotALeftFile(`${path} is no regular file with one name`);
  if (size > mostBytes) throw new NotALeftFile(`${path} has ${size} bytes, ${mostBytes} are read`);
  const buffer = Buffer.allocUnsafe(size + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    if (length > size) throw new NotALeftFile(`${path} grows while it is read`);
    if (bytesRead === 0) return buffer.subarray(0, length);
  }
}

async function openItself(path: string) {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // A link, a socket, a device without a driver.
    if (code === 'ELOOP' || code === 'ENXIO' || code === 'ENODEV')
      throw new NotALeftFile(`${path} is no regular file with one name`, { cause: error });
    throw error;
  }
}
