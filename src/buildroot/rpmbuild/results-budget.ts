import { inUnits } from '../../container/describe-limit.ts';
import { BuildrootStepFailed } from '../errors.ts';

/** How much results may have where the operator limits no disk. */
const mostBytes = 64 * 2 ** 30;
/** How many entries the directories of results may have; some are no results, and each is looked at. */
const mostEntries = 1_000_000;
/** How many files are taken. */
const mostFiles = 10_000;

/** mock's status for what was killed. */
const tooMuch = 247;

/**
 * What is written on this host when the results of a build are taken: by the sizes that the files say, for a hole becomes
 * real and each name of a file is a copy of it. One budget is for all results of a step. Beyond it the step fails, and the
 * package is to blame: that the host had room for it says nothing.
 */
export class ResultsBudget {
  readonly #title: string;
  readonly #bytes: number;
  #leftBytes: number;
  #entries = 0;
  #files = 0;

  /** `title`: the step whose results they are; `diskBytes`: the operator's limit of disk (`build_disk`), if any. */
  constructor(title: string, diskBytes: number | undefined) {
    this.#title = title;
    this.#bytes = diskBytes ?? mostBytes;
    this.#leftBytes = this.#bytes;
  }

  /** An entry of the archive comes with so many bytes, which are read whether it is a result or not. Throws `BuildrootStepFailed`. */
  take(sizeBytes: number): void {
    this.#entries += 1;
    if (this.#entries > mostEntries) throw this.#beyond(`more than ${mostEntries} entries`);
    this.#leftBytes -= sizeBytes;
    if (this.#leftBytes < 0) throw this.#beyond(`more than ${inUnits(this.#bytes)} (build_disk)`);
  }

  /** A file is taken. Throws `BuildrootStepFailed`. */
  takeFile(): void {
    this.#files += 1;
    if (this.#files > mostFiles) throw this.#beyond(`more than ${mostFiles} files`);
  }

  #beyond(what: string): BuildrootStepFailed {
    return new BuildrootStepFailed(this.#title, tooMuch, {
      limit: `the results of the build have ${what}`,
    });
  }
}
