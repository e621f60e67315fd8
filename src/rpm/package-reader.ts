import { type ChildProcess, fork } from 'node:child_process';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BuilderError } from '../core/errors.ts';
import { BadRpm } from './errors.ts';
import type { PackageFacts } from './package-facts.ts';
import type { PackageAnswer, PackageQuestion } from './package-process.ts';

/** What a header may take while it is looked at: memory of JavaScript, besides the bytes of the header themselves. */
const heapMb = 320;
/** A header that fills all its limits takes two seconds. */
const answerMs = 60_000;

/** As this module, which lies beside it: as TypeScript, or built. */
const program = fileURLToPath(new URL(`./package-process${extname(import.meta.url)}`, import.meta.url));

/**
 * Reads headers of packages that others have made, in a process of its own with limits of memory and time: whatever such a
 * file makes of its parser, the tasks of this process go on. The process is started when it is first asked, takes one
 * question after the other, and is started anew when it has ended.
 */
export class PackageReader {
  readonly #program: string;
  #process: ChildProcess | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  /** `program`: path of what the process runs. */
  constructor(program: string) {
    this.#program = program;
  }

  /**
   * `bad` for what is no sound package, or one that cannot be read within the limits. Throws BuilderError `reader-failed` when the
   * process ends by itself, which no package makes it do.
   */
  ask(question: PackageQuestion, signal?: AbortSignal): Promise<PackageAnswer> {
    const answer = this.#turn.then(() => {
      signal?.throwIfAborted();
      return this.#answer(question, signal);
    });
    // Who comes next has asked about another package.
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  /** Asked once more when the process was killed from outside, which says nothing about the package. */
  async #answer(question: PackageQuestion, signal: AbortSignal | undefined): Promise<PackageAnswer> {
    const first = await this.#ask(question, signal);
    const last =
      'endedBy' in first && first.endedBy === 'SIGKILL' ? await this.#ask(question, signal) : first;
    if (!('endedBy' in last)) return last;
    const bad =
      last.endedBy === null
        ? `its header cannot be read within ${answerMs / 1000} s`
        : `its header takes more than ${heapMb} MiB of memory to be read`;
    return { bad };
  }

  /** The answer, or the signal that has ended the process, as it does when its memory is used up: null for our own, when the time was over. */
  async #ask(
    question: PackageQuestion,
    signal: AbortSignal | undefined,
  ): Promise<PackageAnswer | { readonly endedBy: string | null }> {
    const child = this.#begin();
    const { promise, resolve, reject } = Promise.withResolvers<
      PackageAnswer | { readonly endedBy: string | null }
    >();
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, answerMs);
    const ended = (code: number | null, by: string | null) => {
      if (isLate || by !== null) resolve({ endedBy: isLate ? null : by });
      else reject(readerFailed(this.#program, code));
    };
    const aborted = () => {
      reject(signal?.reason);
      child.kill('SIGKILL');
    };
    child.once('message', resolve).once('error', reject).once('exit', ended);
    signal?.addEventListener('abort', aborted);
    child.ref();
    child.channel?.ref();
    try {
      child.send(question);
      return await promise;
    } finally {
      clearTimeout(late);
      signal?.removeEventListener('abort', aborted);
      child.removeListener('message', resolve).removeListener('error', reject).removeListener('exit', ended);
      child.unref();
      child.channel?.unref();
    }
  }

  #begin(): ChildProcess {
    const running = this.#process;
    if (running?.connected === true && running.exitCode === null && !running.killed) return running;
    const child = fork(this.#program, [], {
      execArgv: [`--max-old-space-size=${heapMb}`],
      // It needs no secret of ours.
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    this.#process = child;
    return child;
  }
}

function readerFailed(path: string, code: number | null): BuilderError {
  const message = `the process that reads package headers ended with status ${code}: run ${path} by hand with this Node.js to see why`;
  return new BuilderError('reader-failed', 'builder', message);
}

const reader = new PackageReader(program);

/**
 * What tasks want to know of the package at `path`. Throws BadRpm, whose message begins with the file's name unless that is of
 * no interest (`nameless`), and as `readFile`.
 */
export async function readPackageFacts(
  path: string,
  signal?: AbortSignal,
  { nameless = false }: { readonly nameless?: boolean } = {},
): Promise<PackageFacts> {
  const answer = await ask({ want: 'facts', path }, nameless ? '' : `${basename(path)}: `, signal);
  if (!('facts' in answer)) throw new TypeError('the reader of packages has answered something else');
  return answer.facts;
}

/** `noarchRpmdiffHash` of the package at `path`; throws as `readPackageFacts`. */
export async function readNoarchHash(path: string, signal?: AbortSignal): Promise<string> {
  const answer = await ask({ want: 'noarch-hash', path }, `${basename(path)}: `, signal);
  if (!('hash' in answer)) throw new TypeError('the reader of packages has answered something else');
  return answer.hash;
}

async function ask(question: PackageQuestion, name: string, signal?: AbortSignal): Promise<PackageAnswer> {
  const answer = await reader.ask(question, signal);
  if ('bad' in answer) throw new BadRpm(`${name}${answer.bad}`);
  if ('failure' in answer) throw Object.assign(new Error(answer.failure), { code: answer.code });
  return answer;
}

/**
 * Hashes of the noarch packages among `paths`, by file name; an empty map when there are none.
 * Throws BadRpm for a package that cannot be read.
 */
export async function noarchRpmdiffHashes(
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const path of paths.filter((candidate) => candidate.endsWith('.noarch.rpm'))) {
    hashes.set(path.slice(path.lastIndexOf('/') + 1), await readNoarchHash(path, signal));
  }
  return hashes;
}
