import { basename } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { HubSession } from '../hub/session.ts';
import type { AppendUpload } from './append-upload.ts';
import { taskUploadPath } from './task-paths.ts';
import { Uploader } from './uploader.ts';

/** Uploads into the directory of one task. */
export class TaskUploads {
  /** The task's directory, relative to the hub's `work/`. */
  readonly directory: string;
  readonly #uploader: Uploader;

  constructor(session: HubSession, clock: Clock, taskId: number) {
    this.directory = taskUploadPath(taskId);
    this.#uploader = new Uploader(session, clock);
  }

  /** Uploads a finished file and resolves with its path relative to `work/`. Errors: {@link AppendUpload}. */
  async send(path: string, signal: AbortSignal): Promise<string> {
    const name = basename(path);
    await this.#uploader.file(path, { directory: this.directory, name }, { signal });
    return `${this.directory}/${name}`;
  }

  /** An upload of a log that is still being written. */
  openLog(path: string, name: string): AppendUpload {
    return this.#uploader.append(path, { directory: this.directory, name });
  }
}
