import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { HubFileError, type HubFiles } from '../../hub/files.ts';
import { BadRpm } from '../../rpm/errors.ts';
import { parseRpmHeader, type RpmHeader } from '../../rpm/header.ts';
import { parseNvra } from '../../rpm/nvr.ts';
import { CannotCompare } from './errors.ts';
import type { ReadOnlyHub } from './read-only-hub.ts';
import type { ReferenceBuild } from './reference-build.ts';

/**
 * The packages that a task has left on the hub: where it uploaded them, or where the hub keeps those of a
 * build, which outlive the others.
 */
export class ReferenceFiles {
  readonly #files: HubFiles;
  readonly #hub: ReadOnlyHub;
  readonly #build: ReferenceBuild;
  #kept: Promise<string | null> | null = null;

  constructor(files: HubFiles, hub: ReadOnlyHub, build: ReferenceBuild) {
    this.#files = files;
    this.#hub = hub;
    this.#build = build;
  }

  /** The header of a package, by the path the task's result gives. */
  async header(path: string, signal: AbortSignal): Promise<RpmHeader> {
    try {
      return await this.#from(path, signal, async (place) => parseRpmHeader(await this.#open(place, signal)));
    } catch (error) {
      if (!(error instanceof BadRpm)) throw error;
      throw new CannotCompare(
        `${basename(path)} of task ${this.#build.task.id} cannot be read: ${error.message}`,
        { cause: error },
      );
    }
  }

  /** Brings the source package that the task has built to `target`. */
  async downloadSource(target: string, signal: AbortSignal): Promise<void> {
    await this.#from(this.#build.request.pkg, signal, (place) => this.#files.download(place, target, signal));
  }

  #open(place: string, signal: AbortSignal): Promise<Readable> {
    return this.#files.open(place, signal);
  }

  async #from<T>(path: string, signal: AbortSignal, read: (place: string) => Promise<T>): Promise<T> {
    const uploaded = `work/${path}`;
    try {
      return await read(uploaded);
    } catch (error) {
      if (!(error instanceof HubFileError && error.missing)) throw error;
      const name = basename(path);
      this.#kept ??= this.#placeOfBuild(signal);
      const kept = await this.#kept;
      const place = kept === null ? null : `${kept}/${parseNvra(name).arch}/${name}`;
      if (place === null || !(await this.#files.exists(place, signal)))
        throw new CannotCompare(
          `${name} of task ${this.#build.task.id} is no longer on the hub (${[uploaded, place].filter((one) => one !== null).join(', ')}): compare a younger build, or correct topurl`,
          { cause: error },
        );
      return read(place);
    }
  }

  /** The directory of the build that the task was a part of; null when it made none (scratch). */
  async #placeOfBuild(signal: AbortSignal): Promise<string | null> {
    const { parent } = this.#build.task;
    const sourceName = this.#build.result.srpms[0] ?? this.#build.request.pkg;
    const { name, version, release } = parseNvra(basename(sourceName));
    const build = await this.#hub.builds.getBuild(`${name}-${version}-${release}`, signal);
    if (build === null || parent === null || build.taskId !== parent) return null;
    const volume = build.volumeName ?? 'DEFAULT';
    const top = volume === 'DEFAULT' ? 'packages' : `vol/${volume}/packages`;
    return `${top}/${name}/${version}/${release}`;
  }
}
