import type { Clock } from '../core/clock.ts';
import type { HubSession } from '../hub/session/session.ts';
import { AppendUpload, type UploadTarget } from './append-upload.ts';
import { confirmUploads } from './confirm-uploads.ts';

/** A whole file on this host, and where it goes. */
export interface FileToUpload {
  readonly path: string;
  readonly target: UploadTarget;
}

/** A file that is on the hub. */
export interface UploadedFile {
  readonly sizeBytes: number;
  /** Eight hexadecimal digits. */
  readonly adler32: string;
}

/** Brings files to the hub's `work/` directory, through one session and so one chunk at a time. */
export class Uploader {
  readonly #session: HubSession;
  readonly #clock: Clock;

  constructor(session: HubSession, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  /**
   * Uploads whole files one after another and has the hub confirm them; what is on the hub under their names
   * is replaced. With `resume`, what the hub has of these very files is not sent again. Errors:
   * {@link AppendUpload} and {@link confirmUploads}.
   */
  async files(
    files: readonly FileToUpload[],
    options: { readonly resume?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly UploadedFile[]> {
    const uploads: AppendUpload[] = [];
    for (const { path, target } of files) {
      const upload = this.append(path, target);
      if (options.resume === true) await upload.resume(options.signal);
      await upload.finish(options.signal);
      uploads.push(upload);
    }
    await confirmUploads(this.#session, uploads, options.signal);
    return uploads.map(({ sentBytes, checksum }) => ({ sizeBytes: sentBytes, adler32: checksum }));
  }

  /** An upload of a file that is still being written, such as a log. Nothing is sent before `push`. */
  append(path: string, target: UploadTarget): AppendUpload {
    return new AppendUpload(this.#session, this.#clock, path, target);
  }
}
