import { printableLines } from './printable.ts';

/** Whose fault an error is: it decides what the hub is told and how loud the log is. */
export type Blame = 'package' | 'request' | 'builder' | 'external';

/**
 * The base of every error this program throws on purpose. `code` is stable and may be matched on;
 * the message says what is wrong and, where something can be done about it, what to change. Texts of others in it
 * are made printable.
 */
export class BuilderError extends Error {
  readonly code: string;
  readonly blame: Blame;

  constructor(code: string, blame: Blame, message: string, options?: ErrorOptions) {
    super(printableLines(message), options);
    this.name = new.target.name;
    this.code = code;
    this.blame = blame;
  }
}

/** The text of anything that was thrown, with its causes: `a: b: c`. Printable, with line feeds and tabs. */
export function describeError(error: unknown): string {
  const seen: string[] = [];
  let current: unknown = error;
  // Causes can go in a circle.
  for (let depth = 0; depth < 8 && current !== undefined && current !== null; depth += 1) {
    const text = current instanceof Error ? current.message || current.name : String(current);
    if (!seen.some((earlier) => earlier.includes(text))) seen.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return printableLines(seen.join(': '));
}
