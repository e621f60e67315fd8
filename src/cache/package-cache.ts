import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import PQueue from 'p-queue';
import type { Clock } from '../core/clock.ts';
import { BuilderError } from '../core/errors.ts';
import { isMissing } from '../core/fs-errors.ts';
import { SingleFlight } from '../core/single-flight.ts';
import { type Fetcher, UrlUnreachable } from './fetcher.ts';
import { lastUse, noteUse } from './json-record.ts';
import type { RepoOrigins } from './repo-origins.ts';

/** A package file by its digest, and where it can be had. */
export interface WantedPackage {
  /** `sha256:0123...`, as the repo's metadata has it. */
  readonly checksum: string;
  readonly sizeBytes: number;
  /** Absolute; each holds the same file. */
  readonly urls: readonly string[];
  /** Where its repo may lead to. */
  readonly origins: RepoOrigins;
}

export interface CachedFile {
  /** Absolute. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly usedMs: number;
}

/** A package could not be had as the repo describes it. */
export class PackageUnavailable extends BuilderError {
  constructor(message: string, options?: ErrorOptions) {
    super('package-unavailable', 'external', message, options);
  }
}

/** How many packages are fetched at once. */
const parallel = 6;
/** The pauses before a transfer that broke off is resumed; after the last one it has failed. */
const pausesMs: readonly number[] = [1000, 4000, 15_000];
/** No package is larger (rpm's own limit of a payload's file is 4 GiB). */
const largestBytes = 32 * 2 ** 30;
/** How long the transfer of a package may take, beside the time that its size needs at the slowest. */
const shortestTransferMs = 600_000;
const slowestBytesPerSecond = 16 * 1024;
/** How often a URL may have another file than the repo says: what lies between it and us may have been at fault. */
const mostWrong = 2;

/**
 * Package files of one host, by digest: fetched once, written under their name only when the digest is right, never
 * changed. Safe for concurrent use within one process; a file that several want at once is fetched once.
 */
export class PackageCache {
  /** Absolute; packages lie below it where `packagePath` says. */
  readonly directory: string;
  readonly #urls: Fetcher;
  readonly #clock: Clock;
  readonly #fetches = new Map<string, SingleFlight<void>>();
  /** How many hold a file, by its path. */
  readonly #held = new Map<string, number>();

  constructor(directory: string, urls: Fetcher, clock: Clock) {
    this.directory = directory;
    this.#urls = urls;
    this.#clock = clock;
  }

  /**
   * Makes sure that all are there; resolves with the number and size of those that were fetched. `watch` hears how many
   * of them are done. Rejects with `PackageUnavailable` when one cannot be had, or is another file than the repo says.
   */
  async ensure(
    wanted: readonly WantedPackage[],
    signal: AbortSignal,
    watch: (files: number, ofFiles: number) => void = () => undefined,
  ): Promise<{ readonly files: number; readonly bytes: number }> {
    await mkdir(this.directory, { recursive: true });
    const there = await Promise.all(wanted.map((one) => this.#use(one)));
    const missing = wanted.filter((_, index) => there[index] === false);
    const failed = new AbortController();
    const whole = AbortSignal.any([signal, failed.signal]);
    let done = 0;
    if (missing.length > 0) watch(done, missing.length);
    const fetchOne = async (one: WantedPackage): Promise<void> => {
      await this.#share(one, whole);
      done += 1;
      watch(done, missing.length);
    };
    const fetches = new PQueue({ concurrency: parallel });
    try {
      await fetches.addAll(missing.map((one) => () => fetchOne(one)));
    } finally {
      // Without one of them the others are of no use.
      fetches.clear();
      failed.abort();
    }
    return { files: missing.length, bytes: missing.reduce((sum, one) => sum + one.sizeBytes, 0) };
  }

  /** All files with their size and the time of their last use, in no order. */
  async list(): Promise<readonly CachedFile[]> {
    const names = await readdir(this.directory, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = names.filter((entry) => entry.isFile());
    const found = files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      const facts = await stat(path).catch((error: unknown) => {
        // A transfer has ended, or it was removed by another.
        if (isMissing(error)) return null;
        throw error;
      });
      return facts === null ? [] : [{ path, sizeBytes: facts.size, usedMs: facts.mtimeMs }];
    });
    return (await Promise.all(found)).flat();
  }

  /** Keeps these files, whether they are there yet or not, from being removed until what is returned has been disposed. */
  hold(checksums: readonly string[]): Disposable {
    const paths = checksums.map((checksum) => join(this.directory, packagePath(checksum)));
    for (const path of paths) this.#held.set(path, (this.#held.get(path) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        for (const path of paths.splice(0)) {
          const others = (this.#held.get(path) ?? 1) - 1;
          if (others === 0) this.#held.delete(path);
          else this.#held.set(path, others);
        }
      },
    };
  }

  /** How many of them are not there. */
  async missing(checksums: readonly string[]): Promise<number> {
    const uses = checksums.map((checksum) => lastUse(join(this.directory, packagePath(checksum))));
    return (await Promise.all(uses)).filter((used) => used === null).length;
  }

  /** Removes a file of `list`; false when it is held, was used since, or is gone. */
  async remove({ path, usedMs }: CachedFile): Promise<boolean> {
    if (this.#held.has(path)) return false;
    if ((await lastUse(path)) !== usedMs) return false;
    await rm(path, { force: true });
    return true;
  }

  /** Removes files whose content is not what their name says; resolves with their number. */
  async purge(checksums: readonly string[], signal: AbortSignal): Promise<number> {
    let purged = 0;
    for (const checksum of checksums) {
      const path = join(this.directory, packagePath(checksum));
      const { kind, hex } = split(checksum);
      if ((await digestOf(path, kind, signal).catch(() => '')) === hex) continue;
      await rm(path, { force: true });
      purged += 1;
    }
    return purged;
  }

  /** Notes the use of a file; false when it is not there. */
  async #use({ checksum, sizeBytes }: WantedPackage): Promise<boolean> {
    try {
      const path = join(this.directory, packagePath(checksum));
      if ((await stat(path)).size !== sizeBytes) return false;
      await noteUse(path);
      return (await lastUse(path)) !== null;
    } catch {
      return false;
    }
  }

  async #share(wanted: WantedPackage, signal: AbortSignal): Promise<void> {
    const { checksum } = wanted;
    const call = this.#fetches.get(checksum) ?? new SingleFlight((run) => this.#fetch(wanted, run));
    this.#fetches.set(checksum, call);
    try {
      await call.join(signal);
    } finally {
      if (!call.isRunning) this.#fetches.delete(checksum);
    }
  }

  async #fetch(wanted: WantedPackage, signal: AbortSignal): Promise<void> {
    if (wanted.sizeBytes > largestBytes)
      throw new PackageUnavailable(
        `${wanted.urls[0] ?? wanted.checksum} has ${wanted.sizeBytes} bytes by the repo's word: packages of up to ${largestBytes} are fetched`,
      );
    const target = join(this.directory, packagePath(wanted.checksum));
    await mkdir(dirname(target), { recursive: true });
    // A name of this process's own: another one may fetch the same file.
    const part = `${target}.${process.pid}.part`;
    const wrong = new Map<string, number>();
    // Those that may have it: what a server does not have it is not asked for twice.
    let hopeful = wanted.urls;
    let failure: unknown;
    for (let pauses = 0; hopeful.length > 0; ) {
      const again: string[] = [];
      let brokeOff = false;
      for (const url of hopeful) {
        signal.throwIfAborted();
        try {
          await this.#transfer(wanted, url, part, signal);
          await this.#accept(wanted, url, part, target, signal);
          return;
        } catch (error) {
          signal.throwIfAborted();
          failure = error;
          brokeOff ||= error instanceof UrlUnreachable && error.passing;
          if (error instanceof UrlUnreachable ? error.passing : noteWrong(wrong, url, error)) again.push(url);
        }
      }
      hopeful = again;
      if (!brokeOff) continue;
      const pauseMs = pausesMs[pauses];
      if (pauseMs === undefined) break;
      await this.#clock.sleep(pauseMs, signal);
      pauses += 1;
    }
    if (failure instanceof PackageUnavailable) throw failure;
    throw new PackageUnavailable(`${wanted.urls[0] ?? wanted.checksum} could not be fetched`, {
      cause: failure,
    });
  }

  /** Continues where an earlier transfer broke off. Takes no more than the repo says that the file has, and not for ever. */
  async #transfer(
    { sizeBytes, origins }: WantedPackage,
    url: string,
    part: string,
    signal: AbortSignal,
  ): Promise<void> {
    const byMs = this.#clock.uptime() + shortestTransferMs + (sizeBytes / slowestBytesPerSecond) * 1000;
    // Opened first: what comes before a connection breaks is lost unless it is read at once.
    await using file = await open(part, 'a');
    const { size: there } = await file.stat();
    const have = there > sizeBytes ? 0 : there;
    try {
      const { from, body } = await this.#urls.open(url, { from: have, origins, signal });
      if (from < there) await file.truncate(from);
      let size = from;
      // One by one: of what has come, all is there for the next try.
      for await (const chunk of body) {
        size += chunk.byteLength;
        if (size > sizeBytes) {
          await file.truncate(0);
          throw new PackageUnavailable(`${url} has more than the ${sizeBytes} bytes that the repo says`);
        }
        if (this.#clock.uptime() > byMs)
          throw new UrlUnreachable(
            url,
            `it comes more slowly than ${slowestBytesPerSecond} bytes a second`,
            false,
          );
        await file.writeFile(chunk);
      }
    } finally {
      if ((await file.stat()).size === 0) await rm(part, { force: true });
    }
  }

  async #accept(
    { checksum, sizeBytes }: WantedPackage,
    url: string,
    part: string,
    target: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { kind, hex } = split(checksum);
    // A server that sends nothing has left nothing.
    const size = await stat(part).then(
      (facts) => facts.size,
      () => 0,
    );
    const found = size === sizeBytes ? await digestOf(part, kind, signal) : '';
    if (found === hex) {
      await chmod(part, 0o444);
      await rename(part, target);
      return;
    }
    await rm(part, { force: true });
    // Not what it is: the text goes to the hub, and the file may be one that its readers should not know.
    const what = size === sizeBytes ? `its ${kind} is another` : `it has ${size} bytes`;
    throw new PackageUnavailable(
      `${url} is not the package that the repo describes (${sizeBytes} bytes, ${checksum}): ${what}. Has the repo been changed after its metadata was made?`,
    );
  }
}

/** Whether a URL that had another file may be asked again. Anything but a wrong file is this host's own trouble. */
function noteWrong(wrong: Map<string, number>, url: string, error: unknown): boolean {
  if (!(error instanceof PackageUnavailable)) throw error;
  const times = (wrong.get(url) ?? 0) + 1;
  wrong.set(url, times);
  return times < mostWrong;
}

/** Where a package lies below the cache's directory. */
export function packagePath(checksum: string): string {
  const { kind, hex } = split(checksum);
  return `${kind}/${hex.slice(0, 2)}/${hex}.rpm`;
}

function split(checksum: string): { readonly kind: string; readonly hex: string } {
  const [, kind = '', hex = ''] = /^(sha256|sha384|sha512):([0-9a-f]{64,128})$/.exec(checksum) ?? [];
  if (kind === '') {
    throw new PackageUnavailable(
      `the repo names a package by ${checksum.slice(0, 140)}: packages are shared by their digests, for which sha256, sha384 and sha512 are good enough; have the repo made with one of them (createrepo_c --checksum)`,
    );
  }
  return { kind, hex };
}

async function digestOf(path: string, kind: string, signal: AbortSignal): Promise<string> {
  await access(path);
  const hash = createHash(kind);
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash, { signal });
  return hash.digest('hex');
}
