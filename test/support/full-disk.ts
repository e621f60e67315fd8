import { open } from 'node:fs/promises';
import { vi } from 'vitest';

/** From now on files that are appended to take so many bytes in all, and then say that the disk is full. `vi.restoreAllMocks` makes room. */
export async function fillDiskAfter(bytes: number): Promise<void> {
  await using any = await open('/dev/null');
  const prototype = Object.getPrototypeOf(any) as { write: (data: Buffer, offset: number) => unknown };
  const { write } = prototype;
  let left = bytes;
  vi.spyOn(prototype, 'write').mockImplementation(function (this: unknown, data: Buffer, offset: number) {
    const part = data.subarray(offset, offset + left);
    left -= part.length;
    if (part.length > 0) return write.call(this, part, 0);
    return Promise.reject(Object.assign(new Error('no space left on device, write'), { code: 'ENOSPC' }));
  });
}
