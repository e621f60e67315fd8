import { type FileHandle, open, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { ContainerError } from '../../errors.ts';
import { LogGapWatch } from './log-gaps.ts';

const newline = 0x0a;
const space = 0x20;
const tagFull = 0x46;
const tagPartial = 0x50;
/** `2026-01-31T12:00:00.123456789+00:00 stdout F ` has 45 bytes; anything much longer is no such log. */
const longestHeaderBytes = 128;
/** Small, as pieces wait for the collector: with larger ones a long log costs tens of megabytes. */
const chunkBytes = 64 * 1024;
/** With less room than this for the log, conmon may be losing output. */
const fullBytes = 64 * 1024;
/** How long new output may lie in the file unseen. */
const pollMs = 50;

/**
 * Turns the bytes of a k8s-file log into the bytes that were written: one entry is
 * `<time> <stream> F|P <text>\n`, and the text had a newline only when the tag says F(ull). Entries
 * may be cut anywhere between two calls.
 */
export class LogDecoder {
  /** Start of an entry whose header has not ended yet. */
  #header: Buffer = Buffer.alloc(0);
  /** Tag of the entry we are in; undefined between entries. */
  #tag: number | undefined;

  /** The next written bytes. Works in place: the result may be a part of `chunk`, whose content is lost. */
  decode(chunk: Buffer): Buffer {
    const input = this.#header.length === 0 ? chunk : Buffer.concat([this.#header, chunk]);
    this.#header = Buffer.alloc(0);
    let read = 0;
    let written = 0;
    while (read < input.length) {
      if (this.#tag === undefined) {
        const text = startOfText(input, read);
        if (text === undefined) {
          this.#header = Buffer.from(input.subarray(read));
          break;
        }
        this.#tag = input[text - 2];
        read = text;
      }
      const found = input.indexOf(newline, read);
      const isEnd = found !== -1;
      const end = !isEnd ? input.length : this.#tag === tagFull ? found + 1 : found;
      input.copyWithin(written, read, end);
      written += end - read;
      read = isEnd ? found + 1 : input.length;
      if (isEnd) this.#tag = undefined;
    }
    return input.subarray(0, written);
  }
}

/** Index of the first byte after the header that begins at `from`, or undefined when it is not all there. */
function startOfText(input: Buffer, from: number): number | undefined {
  const afterTime = input.indexOf(space, from);
  const afterStream = afterTime === -1 ? -1 : input.indexOf(space, afterTime + 1);
  const tag = afterStream + 1;
  const whole = afterStream !== -1 && tag + 1 < input.length;
  const seen = (whole ? tag : input.length) - from;
  const isTag = !whole || ((input[tag] === tagFull || input[tag] === tagPartial) && input[tag + 1] === space);
  if (seen > longestHeaderBytes || !isTag) {
    const start = JSON.stringify(input.toString('latin1', from, from + 60));
    throw new ContainerError('engine-failed', `this is not a log in podman's k8s-file format: ${start}`);
  }
  return whole ? tag + 2 : undefined;
}

export interface FollowOptions {
  readonly path: string;
  /** Number of written bytes to leave out. */
  readonly from: number;
  /** What the last of these were, as far as that is known. */
  readonly end?: Uint8Array;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Settles when nothing more will be appended; a rejection ends the reading with that error. */
  readonly ended: Promise<unknown>;
  /** Whether there is no room where the log lies; left out: the file system is asked. */
  readonly isFull?: (path: string) => Promise<boolean>;
}

/** Stands in the output where the log was cut while it was read. */
export const cutMark = '\n[the log of this container was cut on the host: output is missing here]\n';
/** Ends the output where the disk has cost some of it. */
export const fullMark = '\n[the disk of the host was full: output is missing here]\n';

/**
 * What a container wrote, from the log that conmon appends to: as far as there is something, then
 * as it comes, until `ended` has settled and the rest was delivered. At most one chunk is in memory. Rejects with
 * `no-such-container` when the log does not have what is to be left out: it is not the one that was read before. And as
 * `disk-full` when there is no room for the log, or was none, which shows by an entry that was written in part: conmon
 * drops what it cannot write. Output may look like that as well; so it counts only where the disk was seen full, or where
 * nobody has looked, since the container was left alone for a while.
 */
export async function* followLog(options: FollowOptions): AsyncGenerator<Uint8Array, void> {
  const { path, clock, signal, ended, isFull = isDiskFull } = options;
  let mayBeTorn = options.from > 0;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let decoder = new LogDecoder();
  let tears = new LogGapWatch(0);
  let position = 0;
  const buffer = Buffer.allocUnsafeSlow(chunkBytes);
  const earlier = new EarlierOutput(options.from, options.end ?? new Uint8Array(0));
  let hasEnded = false;
  const stopNapping = new AbortController();
  const naps = AbortSignal.any([signal, stopNapping.signal]);
  const outcome = ended.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  void outcome.then(() => {
    hasEnded = true;
    stopNapping.abort();
  });
  await using file = await openLog(path);
  for (;;) {
    signal.throwIfAborted();
    // Asked before the read: what was written before the end is in the file by then.
    const isLast = hasEnded;
    if (!mayBeTorn && clock.uptime() - lookedMs >= pollMs) {
      lookedMs = clock.uptime();
      mayBeTorn = await isFull(path);
    }
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
    if (bytesRead === 0) {
      const { size } = await file.stat();
      if (size < position) {
        // What is there now was delivered before, or it is lost: entries are whole at the end.
        position = size;
        decoder = new LogDecoder();
        tears = new LogGapWatch(size);
        yield Buffer.from(cutMark);
        continue;
      }
      if ((await isFull(path)) || (isLast && !tears.endsWhole)) {
        yield Buffer.from(fullMark);
        throw noRoom(path);
      }
      // What is to be left out was there before this began.
      if (!earlier.isOver) throw lostOutput(path);
      if (isLast) break;
      await nap(clock, naps, stopNapping.signal);
      continue;
    }
    const chunk = buffer.subarray(0, bytesRead);
    const tear = tears.see(chunk);
    const torn = mayBeTorn ? tear : null;
    const text = decode(decoder, chunk.subarray(0, torn ?? bytesRead), path, options.from + position === 0);
    position += bytesRead;
    const rest = earlier.leaveOut(text);
    if (rest === null) throw lostOutput(path);
    // A copy: the reader may keep it, and few bytes must not keep a whole buffer.
    if (rest.length > 0) yield Buffer.from(rest);
    if (torn !== null) {
      yield Buffer.from(fullMark);
      throw noRoom(path);
    }
  }
  const failure = await outcome;
  if (failure !== undefined) throw failure.error;
}

/** What was delivered before and is left out now. */
class EarlierOutput {
  readonly #end: Uint8Array;
  #left: number;
  #seen = Buffer.alloc(0);

  constructor(bytes: number, end: Uint8Array) {
    this.#left = bytes;
    this.#end = end.subarray(-bytes);
  }

  /** Whether all of it has come by. */
  get isOver(): boolean {
    return this.#left === 0;
  }

  /** The part of the text that is new; null when what was to be left out is not what was delivered before. */
  leaveOut(text: Buffer): Buffer | null {
    if (this.#left === 0) return text;
    const old = text.subarray(0, this.#left);
    this.#left -= old.length;
    if (this.#end.length > 0)
      this.#seen = Buffer.concat([this.#seen, old.subarray(-this.#end.length)]).subarray(-this.#end.length);
    if (this.#left === 0 && !this.#seen.equals(this.#end)) return null;
    return text.subarray(old.length);
  }
}

/** What was a log before and is none now was replaced. */
function decode(decoder: LogDecoder, chunk: Buffer, path: string, isNew: boolean): Buffer {
  try {
    return decoder.decode(chunk);
  } catch (error) {
    throw isNew ? error : lostOutput(path);
  }
}

/** The file itself may have been removed. */
async function isDiskFull(path: string): Promise<boolean> {
  const { bfree, bsize } = await statfs(dirname(path));
  return bfree * bsize < fullBytes;
}

function noRoom(path: string): ContainerError {
  return new ContainerError('disk-full', `no space left on device for ${path}: output may be lost`);
}

function lostOutput(path: string): ContainerError {
  return new ContainerError(
    'no-such-container',
    `${path} has been cut or replaced on the host: output of the container is lost`,
  );
}

/** Waits for more to read; an early end of the wait is no error, the loop looks at the signals itself. */
async function nap(clock: Clock, signal: AbortSignal, woken: AbortSignal): Promise<void> {
  try {
    await clock.sleep(pollMs, signal);
  } catch (error) {
    if (!woken.aborted) throw error;
  }
}

/** Opens the log of a container. Rejects with `no-such-container` when it is not there. */
export async function openLog(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw new ContainerError(
      'no-such-container',
      `cannot read ${path}: the output goes when its container is removed`,
      {
        cause: error,
      },
    );
  }
}
