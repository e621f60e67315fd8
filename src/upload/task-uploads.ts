import { basename } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { HubSession } from '../hub/session/session.ts';
import type { AppendUpload } from './append-upload.ts';
import { Uploader } from './uploader.ts';

/** Uploads into the directory of one task. */
export class TaskUploads {
  /** The task's directory, relative to the hub's `work/`. */
  readonly directory: string;
  readonly #uploader: Uploader;

  readonly #resume: boolean;

  /** `resume`: a previous run of the task may have sent some of its files, which need not be sent again. */
  constructor(session: HubSession, clock: Clock, taskId: number, { resume = false } = {}) {
    this.#resume = resume;
    this.directory = taskUploadPath(taskId);
    this.#uploader = new Uploader(session, clock);
  }

  /**
   * Uploads finished files and resolves with their paths relative to `work/`, in the same order. Errors:
   * {@link Uploader.files}.
   */
  async send(paths: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    const { directory } = this;
    const files = paths.map((path) => ({ path, target: { directory, name: basename(path) } }));
    await this.#uploader.files(files, { signal, resume: this.#resume });
    return files.map(({ target }) => `${directory}/${target.name}`);
  }

  /** An upload of a log that is still being written. */
  openLog(path: string, name: string): AppendUpload {
    return this.#uploader.append(path, { directory: this.directory, name });
  }
}

/** A task's upload directory below the hub's `work/` (`koji.pathinfo.taskrelpath`). */
export function taskUploadPath(taskId: number): string {
  return `tasks/${taskId % 10_000}/${taskId}`;
}
