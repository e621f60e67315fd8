import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BuilderError, type Disposition, describeError } from '../core/errors.ts';
import type { Proxies } from '../core/host-proxies.ts';
import { explainDistrust } from '../core/host-trust.ts';
import { HttpClient } from '../core/http-client.ts';

/** A file of the hub's tree could not be had; `missing` when it is not there. */
export class HubFileError extends BuilderError {
  readonly missing: boolean;
  override readonly disposition: Disposition;

  constructor(message: string, missing: boolean, options?: ErrorOptions) {
    super(
      missing ? 'hub-file-missing' : 'hub-file-unreachable',
      missing ? 'request' : 'external',
      message,
      options,
    );
    this.missing = missing;
    this.disposition = missing ? 'fail' : 'free';
  }
}

/**
 * Reads files of the hub's tree (`work/...`, `repos/...`) over the first `topurl` that has them, or from
 * `topdir` when there is no URL (`koji/__init__.py openRemoteFile`).
 */
export class HubFiles {
  readonly #bases: readonly string[];
  readonly #client: HttpClient;

  /** `proxies`: those of the host; left out: URLs are read directly. */
  constructor(topUrls: readonly string[], topDir: string, proxies: Proxies = {}) {
    this.#client = new HttpClient(proxies);
    const bases = topUrls.length > 0 ? topUrls : [pathToFileURL(topDir).href];
    this.#bases = bases.map((url) => url.replace(/\/+$/, ''));
  }

  /** URLs of a path, one per base. Throws a `HubFileError` for what is no path below them. */
  urls(path: string): readonly string[] {
    const parts = path.split('/');
    if (parts.some((part) => ['', '.', '..'].includes(part)) || !path.isWellFormed() || path.includes('\0'))
      throw new HubFileError(`${path} is not a path below topurl`, true);
    return this.#bases.map((base) => `${base}/${parts.map(encodeURIComponent).join('/')}`);
  }

  /** The file's content as a stream. Ends with a `HubFileError` when less arrives than was announced. */
  async open(path: string, signal: AbortSignal): Promise<Readable> {
    const failures: HubFileError[] = [];
    for (const url of this.urls(path)) {
      try {
        return url.startsWith('file:')
          ? await openLocal(url, signal)
          : await openRemote(this.#client, url, signal);
      } catch (error) {
        if (!(error instanceof HubFileError)) throw error;
        failures.push(error);
      }
    }
    throw (
      failures.find((failure) => !failure.missing) ??
      failures[0] ??
      new HubFileError(`no place to read ${path} from`, true)
    );
  }

  /** Writes the file to `target`; nothing stays behind when it does not arrive whole. */
  async download(path: string, target: string, signal: AbortSignal): Promise<void> {
    const source = await this.open(path, signal);
    try {
      await pipeline(source, createWriteStream(target), { signal });
    } catch (error) {
      await rm(target, { force: true });
      signal.throwIfAborted();
      throw error instanceof HubFileError ? error : incomplete(target, error);
    }
  }

  /** Whether the file is there, at the first base that answers. */
  async exists(path: string, signal: AbortSignal): Promise<boolean> {
    try {
      (await this.open(path, signal)).destroy();
      return true;
    } catch (error) {
      if (error instanceof HubFileError && error.missing) return false;
      throw error;
    }
  }

  /** The whole file as text. */
  async text(path: string, signal: AbortSignal): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.open(path, signal)) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('utf8');
  }
}

async function openLocal(url: string, signal: AbortSignal): Promise<Readable> {
  const path = fileURLToPath(url);
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) throw new HubFileError(`${path} is not there (topurl or topdir in kojid.conf)`, true);
  return whole(path, createReadStream(path), signal);
}

async function openRemote(client: HttpClient, url: string, signal: AbortSignal): Promise<Readable> {
  let answer: IncomingMessage;
  try {
    answer = await client.ask(url, 'GET', signal);
  } catch (error) {
    signal.throwIfAborted();
    const why = describeError(explainDistrust(error));
    throw new HubFileError(`cannot read ${url}: ${why}`, false, { cause: error });
  }
  const { statusCode: status = 0, statusMessage = '' } = answer;
  if (status >= 200 && status < 300) return whole(url, answer, signal);
  answer.destroy();
  if (status === 404) throw new HubFileError(`${url} is not there`, true);
  throw new HubFileError(`${url} answers ${status} ${statusMessage}`, false);
}

/** The stream, with errors that say what was being read. */
function whole(name: string, source: Readable, signal: AbortSignal): Readable {
  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    try {
      yield* source;
    } catch (error) {
      signal.throwIfAborted();
      throw incomplete(name, error);
    }
  }
  // The reader gets the error from the generator.
  source.on('error', () => undefined);
  return Readable.from(chunks(), { objectMode: false }).once('close', () => source.destroy());
}

function incomplete(name: string, cause: unknown): HubFileError {
  return new HubFileError(`${name} did not arrive whole: ${describeError(cause)}`, false, { cause });
}
