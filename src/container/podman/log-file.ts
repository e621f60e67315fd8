import { type FileHandle, open, statfs } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { ContainerError } from '../errors.ts';

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
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Settles when nothing more will be appended; a rejection ends the reading with that error. */
  readonly ended: Promise<unknown>;
}

/** Stands in the output where somebody has cut the log while it was read. */
export const cutMark = '\n[the log of this container was cut on the host: output is missing here]\n';

/**
 * What a container wrote, from the log that conmon appends to: as far as there is something, then
 * as it comes, until `ended` has settled and the rest was delivered. At most one chunk is in memory. Rejects with
 * `no-such-container` when the log does not have what is to be left out: it is not the one that was read before. And as
 * a full disk when there is no room for the log: conmon drops what it cannot write.
 */
export async function* followLog(options: FollowOptions): AsyncGenerator<Uint8Array, void> {
  const { path, clock, signal, ended } = options;
  let decoder = new LogDecoder();
  let position = 0;
  const buffer = Buffer.allocUnsafeSlow(chunkBytes);
  let skip = options.from;
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
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
    if (bytesRead === 0) {
      if (await isFull(path)) throw noRoom(path);
      // What is to be left out was there before this began.
      if (skip > 0) throw lostOutput(path);
      if ((await file.stat()).size < position) {
        position = 0;
        decoder = new LogDecoder();
        yield Buffer.from(cutMark);
        continue;
      }
      if (isLast) break;
      await nap(clock, naps, stopNapping.signal);
      continue;
    }
    position += bytesRead;
    const text = decoder.decode(buffer.subarray(0, bytesRead));
    const rest = text.subarray(Math.min(skip, text.length));
    skip -= text.length - rest.length;
    // A copy: the reader may keep it, and few bytes must not keep a whole buffer.
    if (rest.length > 0) yield Buffer.from(rest);
  }
  const failure = await outcome;
  if (failure !== undefined) throw failure.error;
}

async function isFull(path: string): Promise<boolean> {
  const { bfree, bsize } = await statfs(path);
  return bfree * bsize < fullBytes;
}

function noRoom(path: string): ContainerError {
  return new ContainerError('engine-failed', `no space left on device for ${path}: output may be lost`);
}

function lostOutput(path: string): ContainerError {
  return new ContainerError(
    'no-such-container',
    `${path} has been cut or replaced while the daemon was away: output of the container is lost`,
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

async function openLog(path: string): Promise<FileHandle> {
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
