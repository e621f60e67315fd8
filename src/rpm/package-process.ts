// The process that parses headers of packages for `package-reader.ts`: started with a limit of memory, spoken to by messages.
import { createReadStream } from 'node:fs';
import { BadRpm } from './errors.ts';
import { parseRpmHeader } from './header.ts';
import { noarchRpmdiffHash } from './noarch-rpmdiff.ts';
import { type PackageFacts, toPackageFacts } from './package-facts.ts';

/** A header of the usual size is read at once. */
const pieceBytes = 256 * 1024;

/** What is asked: about the package at `path`. */
export interface PackageQuestion {
  readonly want: 'facts' | 'noarch-hash';
  readonly path: string;
}

/** `bad`: the package is to blame; else the file could not be read, with the system's code. */
export type PackageAnswer =
  | { readonly facts: PackageFacts }
  | { readonly hash: string }
  | { readonly bad: string }
  | { readonly failure: string; readonly code: string | null };

// The signals of a terminal or a service manager are for the process that asks; this one ends with it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('message', (question: PackageQuestion) => {
  void answer(question).then((said) => process.send?.(said));
});
process.on('disconnect', () => process.exit(0));

async function answer({ want, path }: PackageQuestion): Promise<PackageAnswer> {
  try {
    const header = await parseRpmHeader(createReadStream(path, { highWaterMark: pieceBytes }));
    return want === 'facts' ? { facts: toPackageFacts(header) } : { hash: noarchRpmdiffHash(header) };
  } catch (error) {
    if (error instanceof BadRpm) return { bad: error.message };
    // A list that is longer than an engine takes.
    if (error instanceof RangeError) return { bad: `its header is too large (${error.message})` };
    return { failure: error instanceof Error ? error.message : String(error), code: codeOf(error) };
  }
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
