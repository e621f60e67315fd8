import type { FileHandle } from 'node:fs/promises';

/**
 * Appends all of the data to a file that is open for appending and holds `size` bytes. When that fails, as the disk is
 * full, nothing of it stays: what comes next would stand behind a part of it. Rejects with the failure.
 */
export async function appendWhole(file: FileHandle, data: Uint8Array, size: number): Promise<void> {
  try {
    for (let offset = 0; offset < data.length; ) offset += (await file.write(data, offset)).bytesWritten;
  } catch (error) {
    await file.truncate(size);
    throw error;
  }
}
