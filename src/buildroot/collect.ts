import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';

export interface Collected {
  /** Names of the files that now lie in the target directory, in the order they came. */
  readonly files: readonly string[];
  /** Entries that were left where they are, with the reason. */
  readonly passedOver: readonly string[];
}

/**
 * Takes the regular files directly below the top of a tar stream that a package's build produced, and
 * nothing else: no links, no devices, no deeper directories, no name that could lead elsewhere, and with
 * the suffix `.rpm` no source packages.
 */
export async function collectFiles(
  tar: Readable,
  directory: string,
  suffix: string,
  signal: AbortSignal,
): Promise<Collected> {
  const files: string[] = [];
  const passedOver: string[] = [];
  const entries = extract();
  const feeding = pipeline(tar, entries, { signal });
  const taking = (async () => {
    for await (const entry of entries) {
      const parts = entry.header.name.split('/').filter((part) => part !== '' && part !== '.');
      const name = parts.at(-1) ?? '';
      const reason = whyNot(entry.header.type ?? 'file', parts, name, suffix, files);
      if (reason === null) {
        await pipeline(entry, createWriteStream(join(directory, name), { flags: 'wx', mode: 0o644 }), {
          signal,
        });
        files.push(name);
      } else {
        if (reason !== '') passedOver.push(`${JSON.stringify(entry.header.name)}: ${reason}`);
        entry.resume();
      }
    }
  })();
  await Promise.all([feeding, taking]);
  return { files, passedOver };
}

/** Null: take it. Empty: not worth a word. */
function whyNot(
  type: string,
  parts: readonly string[],
  name: string,
  suffix: string,
  taken: readonly string[],
): string | null {
  if (type === 'directory' && parts.length <= 1) return '';
  if (type !== 'file' && type !== 'contiguous-file') return `a ${type}, not a regular file`;
  if (parts.length > 2) return 'in a directory of its own';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: such names are what this looks for
  if (parts.includes('..') || name.startsWith('.') || /[\0-\x1f\x7f]/.test(name))
    return 'not a file name the hub takes';
  if (!name.endsWith(suffix)) return `does not end in ${suffix}`;
  if (suffix === '.rpm' && name.endsWith('.src.rpm')) return 'a source package among binary ones';
  if (taken.includes(name)) return 'the same name twice';
  return null;
}
