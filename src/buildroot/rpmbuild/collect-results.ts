import { createWriteStream } from 'node:fs';
import { copyFile, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { below } from '../../core/below.ts';
import { whyNoFileName } from '../../core/file-name.ts';
import { printableJson } from '../../core/printable.ts';
import type { ResultsBudget } from './results-budget.ts';

export interface Collected {
  /** Names of the files that now lie in the target directory, in the order they came, links at the end. */
  readonly files: readonly string[];
  /** Entries that are named like results and are none, with the reason. Copying them fails a build under mock. */
  readonly refused: readonly string[];
  /** Entries that are skipped, with the reason. Of these and of `refused` the first few, and how many more there are. */
  readonly passedOver: readonly string[];
}

/** A package may leave millions of entries, and each that is told is a line of a log. */
const toldAtMost = 20;

/** Each may be a copy of gigabytes. */
const mostCopies = 1000;

/** The first few of many texts. */
class FirstFew {
  readonly #kept: string[] = [];
  #more = 0;

  add(text: string): void {
    if (this.#kept.length < toldAtMost) this.#kept.push(text);
    else this.#more += 1;
  }

  list(): readonly string[] {
    return this.#more === 0 ? this.#kept : [...this.#kept, `and ${this.#more} more`];
  }
}

/**
 * Takes the files directly below the top of a tar stream that a package's build produced, by the rules of mock's
 * `*.rpm` (`mockbuild/backend.py rebuild_package`): hidden names and deeper directories are skipped, and so is
 * what does not end in `suffix`. Of what is left only regular files are taken, and as copies links that end at one of them:
 * mock would follow any other link out of the root, into files of the host. Throws what the budget throws, before more than
 * that is written.
 */
export async function collectFiles(
  tar: Readable,
  directory: string,
  suffix: string,
  budget: ResultsBudget,
  signal: AbortSignal,
): Promise<Collected> {
  const files = new Set<string>();
  const links = new Map<string, Link>();
  const refused = new FirstFew();
  const passedOver = new FirstFew();
  const entries = extract();
  const feeding = pipeline(tar, entries, { signal });
  const taking = (async () => {
    for await (const entry of entries) {
      const { header } = entry;
      budget.take(header.size ?? 0);
      const parts = header.name.split('/').filter((part) => part !== '' && part !== '.');
      const name = parts.at(-1) ?? '';
      const indifference = whyIndifferent(parts, name, suffix);
      const refusal = whyNot(header, parts, name, files);
      if (indifference === null && refusal === null) {
        budget.takeFile();
        await pipeline(entry, createWriteStream(below(directory, name), { mode: 0o644 }), { signal });
        files.add(name);
        continue;
      }
      entry.resume();
      // The directory itself.
      if (header.type === 'directory' && parts.length <= 1 && !name.endsWith(suffix)) continue;
      const told = (reason: string | null) => `${printableJson(JSON.stringify(header.name))}: ${reason}`;
      const to = linkedName(header, parts);
      if (indifference !== null) passedOver.add(told(indifference));
      else if (to === null) refused.add(told(refusal));
      else links.set(name, { to, refusal: told(refusal) });
    }
  })();
  await Promise.all([feeding, taking]);
  const ends = endsOf(links);
  let copies = 0;
  const regular = new Set(files);
  for (const [name, { refusal }] of links) {
    const end = ends.get(name) ?? null;
    if (end === null || !regular.has(end)) refused.add(refusal);
    else if (copies === mostCopies)
      refused.add(`${refusal}, and there are more than ${mostCopies} such links`);
    else {
      budget.take((await stat(below(directory, end))).size);
      budget.takeFile();
      await copyFile(below(directory, end), below(directory, name));
      copies += 1;
      files.add(name);
    }
  }
  return { files: [...files], refused: refused.list(), passedOver: passedOver.list() };
}

/** What an entry leads to by its name, and why it cannot be taken when that is nothing good. */
interface Link {
  readonly to: string;
  readonly refusal: string;
}

/** Where each link leads over other links; null for those that lead in a circle. Each link is looked at once. */
function endsOf(links: ReadonlyMap<string, Link>): ReadonlyMap<string, string | null> {
  const ends = new Map<string, string | null>();
  for (const name of links.keys()) {
    const way = new Set<string>();
    let at = name;
    for (let link = links.get(at); link !== undefined && !ends.has(at); link = links.get(at)) {
      if (way.has(at)) break;
      way.add(at);
      at = link.to;
    }
    const end = way.has(at) ? null : (ends.get(at) ?? (links.has(at) ? null : at));
    for (const passed of way) ends.set(passed, end);
  }
  return ends;
}

/** Why an entry is no result by its name and place; null when it is one. */
function whyIndifferent(parts: readonly string[], name: string, suffix: string): string | null {
  if (parts.length > 2) return 'in a directory of its own';
  if (!name.endsWith(suffix)) return `does not end in ${suffix}`;
  return name.startsWith('.') ? 'hidden' : null;
}

/** Why an entry with the name of a result cannot be taken as it is; null when it can. */
function whyNot(
  { type }: Header,
  parts: readonly string[],
  name: string,
  taken: ReadonlySet<string>,
): string | null {
  if (!isPlain(parts)) return 'not a file name the hub takes';
  if (type !== 'file' && type !== 'contiguous-file') return `a ${type}, not a regular file`;
  return taken.has(name) ? 'the same name twice' : null;
}

function isPlain(parts: readonly string[]): boolean {
  return parts.every((part) => whyNoFileName(part) === null);
}

/** The name in the same directory that a link stands for; null for what is no link, or one that leads elsewhere. */
function linkedName({ type, linkname }: Header, parts: readonly string[]): string | null {
  if (linkname == null || !isPlain(parts)) return null;
  const target = posix.normalize(linkname);
  // A hard link names its target from the top of the archive, a symbolic one from where it lies.
  const directory = type === 'link' ? parts.slice(0, -1).join('/') || '.' : '.';
  const isLink = type === 'link' || type === 'symlink';
  return isLink && posix.dirname(target) === directory ? posix.basename(target) : null;
}
