import { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import Docker from 'dockerode';
import type { z } from 'zod';
import type { Clock } from '../../../core/clock.ts';
import { noWaits, type TaskWaits } from '../../../core/waits.ts';
import { ContainerError, type ContainerErrorCode } from '../../errors.ts';
import { classifyError } from './classify-error.ts';
import { Info } from './schema.ts';

/**
 * All requests go to podman's own API (libpod), in the version that podman 4 and 5 both serve; this is the one place that
 * says why. dockerode is used for what is the same in both: the socket, queries and bodies, streams, aborts, and statuses
 * that were not expected. Its methods speak the API of Docker, which podman serves too but which cannot say what builds
 * need: a root that is the mounted layer of another container (`rootfs`, `rootfs_overlay`, `mount`), the path of the file
 * that conmon writes output to (`log_configuration.path`), a level of SELinux, masked paths and a seccomp profile by its path on the
 * engine's host, and which driver, directories and locks the engine's storage has. What could be asked by either (`kill`,
 * `start`, `wait`, images) is asked by the same one: a container then has one set of states, errors and statuses.
 */
export const libpod = '/v4.0.0/libpod';

/** How long the engine may take for what needs its storage, which it locks while it copies an image, a commit among others. */
export const lockedStoreMs = 10 * 60_000;

export interface EngineOptions {
  readonly socketPath: string;
  readonly clock: Clock;
  /** A request that has no answer after this time failed with `runtime-down`: an engine that hangs must not hang the daemon. */
  readonly timeoutMs: number;
  /** How long a request that may be repeated is repeated while the engine is away. */
  readonly reconnectMs: number;
  /** Where it is recorded which request has no answer yet; left out: nowhere. */
  readonly waits?: TaskWaits;
}

export interface EngineRequest {
  /** For messages: `start container x`. */
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'DELETE' | 'HEAD';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: object;
  /** Bytes to send instead of JSON. */
  readonly file?: Buffer;
  /** Status codes that are no error. */
  readonly ok: readonly number[];
  readonly signal?: AbortSignal;
  /** What a 404 means that is not about the container itself. */
  readonly notFound?: ContainerErrorCode;
  /** True when doing it twice is the same as once: then it outlives a restart of the engine's service. */
  readonly repeatable?: boolean;
  /** How long this one may take, where the usual time is not enough. */
  readonly timeoutMs?: number;
}

const firstPauseMs = 50;
const longestPauseMs = 1000;
/** Of an answer that is being read. Much longer than a reader takes for a piece of it. */
const longestSilenceMs = 600_000;

/**
 * Requests to a podman service on a unix socket, through dockerode. Safe for concurrent use. An error
 * is a `ContainerError`, except for an aborted request, which rejects with the signal's reason.
 */
export class Engine {
  readonly #modem: Docker['modem'];
  readonly #options: EngineOptions;

  constructor(options: EngineOptions) {
    // The undefined host keeps DOCKER_HOST of the environment out.
    const docker = new Docker({ socketPath: options.socketPath, host: undefined });
    this.#modem = docker.modem;
    this.#options = options;
  }

  /** Sends a request and reads the answer as JSON of this schema. */
  async call<T>(schema: z.ZodType<T>, request: EngineRequest): Promise<T> {
    const text = await this.text(request);
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      throw new ContainerError(
        'engine-failed',
        `cannot ${request.what}: the answer is not what podman promises`,
        {
          cause: error,
        },
      );
    }
  }

  /** Sends a request and reads the whole answer; empty for most that change something. */
  async text(request: EngineRequest): Promise<string> {
    const read = async (answer: IncomingMessage) => (await buffer(answer)).toString('utf8');
    return this.#repeating(request, (signal) => this.#attempt(request, signal, read));
  }

  /** Sends a request of which only the head of the answer matters. */
  async head(request: EngineRequest): Promise<IncomingMessage['headers']> {
    return this.#repeating(request, (signal) =>
      this.#attempt(request, signal, async (answer) => {
        answer.resume();
        return answer.headers;
      }),
    );
  }

  /**
   * Sends a request and hands over the answer's body; the caller reads it to its end or destroys it. It ends with an error
   * when nothing comes for too long.
   */
  async stream(request: EngineRequest): Promise<IncomingMessage> {
    request.signal?.throwIfAborted();
    try {
      return await this.#attempt(request, request.signal, async (answer) => {
        const text = `cannot ${request.what}: the engine has sent nothing for ${longestSilenceMs / 1000} s`;
        answer.setTimeout(longestSilenceMs, () => answer.destroy(new ContainerError('runtime-down', text)));
        return answer;
      });
    } catch (error) {
      request.signal?.throwIfAborted();
      throw classifyError(error, request.what, request.notFound);
    }
  }

  async #repeating<T>(
    request: EngineRequest,
    attempt: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const { waits = noWaits } = this.#options;
    return waits.during(`the engine to ${request.what}`, () => this.#whileAway(request, attempt));
  }

  async #whileAway<T>(
    request: EngineRequest,
    attempt: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const { clock, reconnectMs } = this.#options;
    const { signal } = request;
    let awaySince: number | undefined;
    let pauseMs = firstPauseMs;
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await attempt(signal);
      } catch (error) {
        signal?.throwIfAborted();
        const failure = classifyError(error, request.what, request.notFound);
        if (failure.code !== 'runtime-down' || request.repeatable !== true) throw failure;
        awaySince ??= clock.uptime();
        if (clock.uptime() - awaySince >= reconnectMs) throw failure;
        await clock.sleep(pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    }
  }

  async #attempt<T>(
    request: EngineRequest,
    signal: AbortSignal | undefined,
    read: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#options;
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs;
    const done = new AbortController();
    const late = new AbortController();
    const alarm = clock.sleep(timeoutMs, done.signal).then(
      () => late.abort(),
      () => undefined,
    );
    const signals = signal === undefined ? [late.signal] : [late.signal, signal];
    try {
      return await read(await this.#dial(request, AbortSignal.any(signals)));
    } catch (error) {
      if (!late.signal.aborted) throw error;
      const text = `cannot ${request.what}: the engine did not answer within ${timeoutMs / 1000} s`;
      throw new ContainerError('runtime-down', text, { cause: error });
    } finally {
      done.abort();
      await alarm;
    }
  }

  async #dial(request: EngineRequest, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    this.#modem.dial(
      {
        path: `${request.path}?`,
        method: request.method,
        options: { _query: request.query ?? {}, _body: request.body ?? {} },
        statusCodes: Object.fromEntries(request.ok.map((code) => [code, true])),
        // Also for short answers: the modem's own reading never ends when the connection breaks in the middle.
        isStream: true,
        ...(request.file === undefined
          ? {}
          : { file: request.file, headers: { 'Content-Type': 'application/x-tar' } }),
        ...(signal === undefined ? {} : { abortSignal: signal }),
      },
      (error, answer) => {
        if (answer instanceof IncomingMessage) resolve(answer);
        else reject(error ?? new Error('the answer is not an HTTP answer'));
      },
    );
    return promise;
  }
}

/** What podman says about itself, its host and its storage. Rejects with `runtime-down` when nothing answers. */
export function askInfo(engine: Engine, signal: AbortSignal): Promise<z.infer<typeof Info>> {
  return engine.call(Info, {
    what: 'ask podman about itself',
    method: 'GET',
    path: `${libpod}/info`,
    ok: [200],
    signal,
  });
}
