import type { z } from 'zod';
import type { RpcValue } from '../xmlrpc/codec.ts';
import type { RetryOptions } from './retry.ts';

/** Everything needed to resume a session in another process. `key` is a secret. */
export interface SessionState {
  readonly id: number;
  readonly key: string;
  /** The next call's number, or any higher one: the hub accepts gaps, but never a lower number. */
  readonly callnum: number;
  /** The main session's id when this is a subsession. */
  readonly master: number | null;
  /** Whether this session holds the host's exclusive lock. */
  readonly exclusive: boolean;
  /** False on hubs before 1.31, which want the session in the URL. */
  readonly headerAuth: boolean;
  /** Uptime of the machine, in milliseconds, when it was saved; left out: it was not. */
  readonly savedMs?: number | undefined;
}

/**
 * Where sessions are kept to outlive the process. A session saves itself before it uses a call number that
 * is not covered yet (in blocks of {@link reservedCallnums}) and whenever its key changes, so that the saved
 * state is always good for {@link resumeSession}. While the disk is full or read-only sessions continue unsaved: the hub has to
 * hear of this host meanwhile, and the next run leaves out numbers ({@link firstCallnum}).
 */
export interface SessionJournal {
  save(state: SessionState): Promise<void>;
  /** What was saved of a session; null when it is closed or was never saved. */
  find(id: number): Promise<SessionState | null>;
  /** The session is closed; its state is worth nothing any more. */
  remove(id: number): Promise<void>;
}

/** How many call numbers are reserved in the journal at once. */
export const reservedCallnums = 1000;
/** How many one run may use at most, for want of anything better: after a reboot, or where it is not recorded when it was saved. */
export const unsavedCallnums = 100 * reservedCallnums;

/**
 * The first call number with which the next run continues: beyond all that runs since the session was saved may have used,
 * several of them too while the disk was full. No session makes more than a call in a millisecond.
 */
export function firstCallnum({ callnum, savedMs }: SessionState, uptimeMs: number): number {
  const sinceMs = uptimeMs - (savedMs ?? Number.POSITIVE_INFINITY);
  return callnum + (sinceMs >= 0 ? Math.ceil(sinceMs) : unsavedCallnums);
}

export interface SessionOptions extends RetryOptions {
  readonly journal?: SessionJournal;
  /** kojid's `use_fast_upload`, on when left out: chunks of files as raw bytes, not inside XML-RPC calls. */
  readonly fastUpload?: boolean;
}

export interface CallOptions<T> {
  readonly signal?: AbortSignal | undefined;
  /** Keyword arguments of the hub's method. */
  readonly keywords?: Readonly<Record<string, RpcValue>>;
  /**
   * What to do when an earlier attempt of this very call seems to have been carried out while its answer was
   * lost: the hub says so (1009), or the request was sent more than once and is now refused (1000, 1003, 1004)
   * or answered in a way that `doubtful` picks out; hubs up to 1.35 do not recognise a repeated call. The
   * look-up reads the state, and gives the answer or throws. It is given the reason. Default: throw that.
   */
  readonly retryError?: 'throw' | ((reason: Error) => Promise<T>);
  readonly doubtful?: (answer: T) => boolean;
  /** Never send it twice: a lost answer goes to `retryError` as well. For calls that are not atomic. */
  readonly once?: boolean;
  /** Asked again by every run of a task that is resumed after a restart of the daemon (`ReplayingSession`). */
  readonly skipJournal?: true;
}

/** One piece of a file, for the hub's `rawUpload` or `uploadFile`. */
export interface UploadChunk {
  /** Directory below the hub's `work/`. */
  readonly directory: string;
  readonly name: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly volume?: string;
}

/** How a chunk arrived. */
export interface UploadedChunk {
  /** What the hub got instead of the chunk, by size or checksum; null when it got the chunk. */
  readonly problem: string | null;
  /** The chunk was sent more than once. */
  readonly resent: boolean;
}

/**
 * A session with the hub. Calls may be made concurrently; they go out one at a time and in order. Every
 * method throws HubFault (the hub said no), HubTransportError (no answer within the configured retries),
 * HubProtocolError (an answer of the wrong shape), SessionLost, or `signal.reason`.
 */
export interface HubSession {
  readonly info: { readonly id: number; readonly master: number | null };
  /** The hub's version as last heard in an answer; null before 1.35, which does not tell. */
  readonly hubVersion: string | null;
  /** Calls a method and checks its answer. Keyword arguments go into `options.keywords`. */
  call<T>(
    method: string,
    params: readonly RpcValue[],
    answer: z.ZodType<T>,
    options?: CallOptions<T>,
  ): Promise<T>;
  /**
   * Writes one chunk of a file. One at offset 0 replaces the file that is there; any other continues from where
   * those before it ended, and replaces what earlier attempts brought of it.
   */
  upload(chunk: UploadChunk, options?: { readonly signal?: AbortSignal | undefined }): Promise<UploadedChunk>;
  /** A separate session for one task, with the rights and the lock of this one. */
  subsession(signal?: AbortSignal): Promise<HubSession>;
  /** Resumes a subsession of an earlier process; null when nothing is known of it. Nothing is sent. */
  resumeSubsession(id: number): Promise<HubSession | null>;
  /**
   * Takes the host's exclusive lock, which every `host.*` call needs. Throws HubFault 1006 when another
   * session has it; `force` closes that one. May be repeated.
   */
  exclusiveSession(force: boolean, signal?: AbortSignal): Promise<void>;
  /** Closes the session and its subsessions; a session that is gone already is fine. Does not wait for a hub in trouble. */
  logout(): Promise<void>;
  state(): SessionState;
}
