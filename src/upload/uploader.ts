import type { Clock } from '../core/clock.ts';
import type { HubSession } from '../hub/session.ts';
import { AppendUpload, type UploadTarget } from './append-upload.ts';

/** Brings files to the hub's `work/` directory, through one session and so one chunk at a time. */
export class Uploader {
  readonly #session: HubSession;
  readonly #clock: Clock;

  constructor(session: HubSession, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  /**
   * Uploads the whole file at `path` and has the hub confirm it; what is on the hub under that name is
   * replaced. With `resume`, what the hub has of this very file is not sent again. Errors: {@link AppendUpload}.
   */
  async file(
    path: string,
    target: UploadTarget,
    options: { readonly resume?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<{ readonly sizeBytes: number; readonly adler32: string }> {
    const upload = this.append(path, target);
    if (options.resume === true) await upload.resume(options.signal);
    await upload.finish(options.signal, { confirm: true });
    return { sizeBytes: upload.sentBytes, adler32: upload.checksum };
  }

  /** An upload of a file that is still being written, such as a log. Nothing is sent before `push`. */
  append(path: string, target: UploadTarget): AppendUpload {
    return new AppendUpload(this.#session, this.#clock, path, target);
  }
}
