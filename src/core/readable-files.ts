import { chmod, copyFile, mkdir, rename, writeFile } from 'node:fs/promises';

/**
 * Files and directories that other users read, such as the user inside of a container. Their modes are 0644 and 0755
 * whatever the umask, the default ACL of the directory and the mode of a source say: what is private on the host, as a source
 * package with mode 0600, is content here (mock copies content, too).
 */

/** Writes the file again under its name; who has the old one open reads on in that. `mode` where others may not read all of it. */
export async function writeReadable(path: string, content: string, mode = 0o644): Promise<void> {
  const draft = `${path}.new`;
  // Never more than that, not for a moment.
  await writeFile(draft, content, { mode });
  await chmod(draft, mode);
  await rename(draft, path);
}

/** Copies the content of a file, in the same way. */
export async function copyReadable(from: string, path: string): Promise<void> {
  const draft = `${path}.new`;
  await copyFile(from, draft);
  await chmod(draft, 0o644);
  await rename(draft, path);
}

/** Makes a directory, with those above it as the umask has them. One that is there already becomes readable. */
export async function makeReadable(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
}
