import { accessSync, constants, readdirSync, readFileSync, type Stats, statSync } from 'node:fs';

/** What the configuration may ask of a file system; nothing of it writes. */
export interface ConfigFiles {
  /** What lies there, links followed. */
  kind(path: string): 'file' | 'directory' | 'other' | 'missing';
  readable(path: string): boolean;
  /** Throws what `node:fs` throws. */
  read(path: string): Uint8Array;
  /** Names in a directory, in no order. Throws what `node:fs` throws. */
  list(path: string): readonly string[];
}

/** The host's own files. */
export const hostFiles: ConfigFiles = {
  kind(path) {
    const stats: Stats | undefined = statOf(path);
    if (stats === undefined) return 'missing';
    if (stats.isFile()) return 'file';
    return stats.isDirectory() ? 'directory' : 'other';
  },
  readable(path) {
    try {
      accessSync(path, constants.R_OK);
      return true;
    } catch {
      // Whatever the reason is, the answer is no.
      return false;
    }
  },
  read: (path) => readFileSync(path),
  list: (path) => readdirSync(path),
};

/** Like Python's `os.path.exists`, a path that cannot be looked at is not there. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
