import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { lastUse, noteUse, readRecord, writeRecord } from './json-record.ts';

/** A package that a solver has chosen to come into the root. */
const InboundPackage = z.object({
  /** What it is to what the root holds: dnf's word. Of an install-only package other versions stay beside it. */
  action: z.enum(['install', 'upgrade', 'downgrade', 'reinstall', 'obsolete']),
  /** Name, epoch where there is one, version, release and arch: `bash-5.2-1.x86_64`. */
  name: z.string(),
  /** `sha256:0123...`, of the file. */
  checksum: z.string(),
  sizeBytes: z.int().nonnegative(),
  /** Name of the repo it comes from. */
  repo: z.string(),
  /** Of the file, relative to the repo or to `base`. */
  location: z.string(),
  /** URL that `location` is relative to where that is not the repo's own. */
  base: z.string().nullable(),
});
export type InboundPackage = z.infer<typeof InboundPackage>;

/** An installed package that leaves the root: replaced by another version, obsoleted, or in the way. */
const OutboundPackage = z.object({
  action: z.literal('remove'),
  name: z.string(),
  /** Digest of its header, which tells it from every other package in rpm's database. */
  header: z.string(),
});

/** What has to happen to a root, as one transaction, so that it holds what was asked for. */
export const Solution = z.object({
  /** In the order in which the solver would hand them to rpm: that decides where dependencies do not. */
  elements: z.array(z.discriminatedUnion('action', [InboundPackage, OutboundPackage])),
});
export type Solution = z.infer<typeof Solution>;

/** The packages that a solution brings. */
export function inboundOf({ elements }: Solution): readonly InboundPackage[] {
  return elements.filter((element) => element.action !== 'remove');
}

/**
 * Answers of the solver by everything they depend on, so that a question that was asked before needs no solver. The
 * caller's key has to name all of that. Safe for concurrent use.
 */
export class SolverCache {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async find(key: string): Promise<Solution | null> {
    const path = this.#path(key);
    const solution = await readRecord(path, Solution);
    if (solution !== null) await noteUse(path);
    return solution;
  }

  async keep(key: string, solution: Solution): Promise<void> {
    await writeRecord(this.#path(key), solution);
  }

  /** Removes all answers but the `most` that were used last; resolves with the number of those removed. */
  async trim(most: number): Promise<number> {
    const names = await readdir(this.#directory).catch(() => []);
    const found = await Promise.all(
      names
        .filter((name) => name.endsWith('.json'))
        .map(async (name) => {
          const path = join(this.#directory, name);
          return { path, usedMs: (await lastUse(path)) ?? 0 };
        }),
    );
    const old = found.toSorted((one, other) => other.usedMs - one.usedMs).slice(most);
    for (const { path } of old) await rm(path, { force: true });
    return old.length;
  }

  #path(key: string): string {
    return join(this.#directory, `${key}.json`);
  }
}

/** A digest of values that can be written as JSON; equal for equal values in equal order. */
export function digestOf(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
