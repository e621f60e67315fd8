import type { ConfigFiles } from '../../src/config/format/file-system.ts';

/** What lies at a path: content, null for a directory, or a file that nobody may read. */
export type MemoryEntry = string | Uint8Array | null | { readonly unreadable: true };

/** Files that exist only for a test. */
export function memoryFiles(entries: Readonly<Record<string, MemoryEntry>>): ConfigFiles {
  const at = (path: string): MemoryEntry | undefined =>
    Object.hasOwn(entries, path) ? entries[path] : undefined;
  return {
    kind(path) {
      const entry = at(path);
      if (entry === undefined) return 'missing';
      return entry === null ? 'directory' : 'file';
    },
    readable(path) {
      const entry = at(path);
      return typeof entry === 'string' || entry instanceof Uint8Array;
    },
    read(path) {
      const entry = at(path);
      if (typeof entry === 'string') return Buffer.from(entry);
      if (entry instanceof Uint8Array) return entry;
      throw new Error(`EACCES: permission denied, open '${path}'`);
    },
    list(path) {
      const names = Object.keys(entries).filter((name) => name.startsWith(`${path}/`));
      return names.map((name) => name.slice(path.length + 1));
    },
  };
}
