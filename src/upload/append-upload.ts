import { open } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { BuilderError } from '../core/errors.ts';
import { faultCodes } from '../core/koji-faults.ts';
import { isFault } from '../hub/faults.ts';
import { adler32, adler32Hex, adler32OfNothing } from '../hub/session/adler32.ts';
import type { HubSession, UploadedChunk } from '../hub/session/session.ts';

/** What `checkUpload` says of a file; the checksum only when asked for. */
export const CheckedUpload = z.object({ size: z.int(), hexdigest: z.string().optional() });
export type CheckedUpload = z.infer<typeof CheckedUpload>;

/** Where a file goes on the hub. */
export interface UploadTarget {
  /** Directory below the hub's `work/`, such as a task's upload directory. */
  readonly directory: string;
  readonly name: string;
  readonly volume?: string;
}

/** How much is read and sent at once, kojid's `upload_blocksize`. */
export const chunkBytes = 1024 * 1024;

/** How often a chunk is sent before a wrong size or checksum is taken for a lasting problem. */
const chunkAttempts = 4;

/** How long an earlier request may keep the file locked on the hub (1001), and how often to look. */
const lockAttempts = 60;
const lockWaitMs = 1_000;

/**
 * Uploads one file, which may still be growing, from the start to the end and in order. The hub's size and
 * checksum of each chunk are compared. Memory use does not depend on the
 * file's size. Throws BuilderError `upload-failed` when the hub has something else than was sent, the errors
 * of HubSession, and those of reading the file. Calls may overlap; they run one after another.
 */
export class AppendUpload {
  readonly #session: HubSession;
  readonly #clock: Clock;
  readonly #path: string;
  readonly target: UploadTarget;
  #tail: Promise<void> = Promise.resolve();
  #sentBytes = 0;
  #checksum = adler32OfNothing;
  #startedOnHub = false;
  /** Whether a chunk was sent more than once, so that the whole file has to be checked at the end. */
  #repeated = false;

  constructor(session: HubSession, clock: Clock, path: string, target: UploadTarget) {
    this.#session = session;
    this.#clock = clock;
    this.#path = path;
    this.target = target;
  }

  /** How much of the file the hub has. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Adler-32 of what the hub has, as eight hexadecimal digits. */
  get checksum(): string {
    return adler32Hex(this.#checksum);
  }

  /** Sends what the file has gained since the last call. */
  push(signal?: AbortSignal): Promise<void> {
    return this.#inOrder(() => this.#push(signal));
  }

  /** Sends the rest, also of an empty file. When a chunk was sent more than once, the whole is compared. */
  finish(signal?: AbortSignal): Promise<void> {
    return this.#inOrder(async () => {
      await this.#push(signal);
      if (!this.#startedOnHub) await this.#send(new Uint8Array(0), signal);
      if (this.#repeated) this.compare(await this.#check(true, signal));
    });
  }

  /** Throws when the hub, by its answer to a `checkUpload`, has something else than was sent. */
  compare(there: CheckedUpload | null): void {
    if (there === null) throw this.#failed('the hub does not have it after all chunks were sent');
    if (there.size !== this.#sentBytes)
      throw this.#failed(`the hub has ${there.size} bytes of ${this.#sentBytes}`);
    if (there.hexdigest !== undefined && there.hexdigest !== this.checksum)
      throw this.#failed(`the hub has a file with checksum ${there.hexdigest} instead of ${this.checksum}`);
  }

  /**
   * Before the first `push`: leaves out what an earlier, broken-off upload of the same file has brought to
   * the hub already, if the checksum says that it is the same.
   */
  resume(signal?: AbortSignal): Promise<void> {
    return this.#inOrder(async () => {
      const there = await this.#check(true, signal);
      if (there === null || there.size === 0) return;
      await using file = await open(this.#path);
      if ((await file.stat()).size < there.size) return;
      const buffer = new Uint8Array(chunkBytes);
      let checksum = adler32OfNothing;
      for (let offset = 0; offset < there.size; ) {
        signal?.throwIfAborted();
        const length = Math.min(chunkBytes, there.size - offset);
        const { bytesRead } = await file.read(buffer, 0, length, offset);
        if (bytesRead === 0) return;
        checksum = adler32(buffer.subarray(0, bytesRead), checksum);
        offset += bytesRead;
      }
      if (adler32Hex(checksum) !== there.hexdigest) return;
      this.#sentBytes = there.size;
      this.#checksum = checksum;
      this.#startedOnHub = true;
    });
  }

  #inOrder(work: () => Promise<void>): Promise<void> {
    const mine = this.#tail.then(work);
    // Only the order matters to the next call; the error goes to the caller of this one.
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  async #push(signal?: AbortSignal): Promise<void> {
    await using file = await open(this.#path);
    const { size } = await file.stat();
    if (size < this.#sentBytes)
      throw this.#failed(`the file has shrunk to ${size} bytes after ${this.#sentBytes} were sent`);
    const buffer = new Uint8Array(Math.min(chunkBytes, size - this.#sentBytes));
    while (this.#sentBytes < size) {
      const length = Math.min(buffer.length, size - this.#sentBytes);
      const { bytesRead } = await file.read(buffer, 0, length, this.#sentBytes);
      if (bytesRead === 0) return;
      await this.#send(buffer.subarray(0, bytesRead), signal);
    }
  }

  async #send(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const { problem, resent } = await this.#sendUnlocked(bytes, signal);
      if (resent || attempt > 1) this.#repeated = true;
      if (problem === null) break;
      if (attempt === chunkAttempts) throw this.#failed(`at offset ${this.#sentBytes} ${problem}`);
    }
    this.#startedOnHub = true;
    this.#sentBytes += bytes.length;
    this.#checksum = adler32(bytes, this.#checksum);
  }

  async #sendUnlocked(bytes: Uint8Array, signal?: AbortSignal): Promise<UploadedChunk> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#session.upload({ ...this.target, offset: this.#sentBytes, bytes }, { signal });
      } catch (error) {
        // How far this attempt came is not known, so the whole has to be checked.
        this.#repeated = true;
        // A request that was given up here can still be at work on the hub.
        if (!isLocked(error) || attempt === lockAttempts) throw error;
        await this.#clock.sleep(lockWaitMs, signal);
      }
    }
  }

  #check(verify: boolean, signal?: AbortSignal): Promise<CheckedUpload | null> {
    const { directory, name, volume } = this.target;
    return this.#session.call('checkUpload', [directory, name], CheckedUpload.nullable(), {
      signal,
      skipJournal: true,
      keywords: { ...(verify && { verify: 'adler32' }), ...(volume !== undefined && { volume }) },
    });
  }

  #failed(problem: string): BuilderError {
    const { directory, name } = this.target;
    return new BuilderError('upload-failed', 'external', `upload of ${directory}/${name} failed: ${problem}`);
  }
}

/** Another request is writing to the file; `uploadFile` lets Python's error through. */
function isLocked(error: unknown): boolean {
  if (isFault(error, faultCodes.unhandled)) return error.faultString.includes('BlockingIOError');
  return isFault(error, faultCodes.lock);
}
