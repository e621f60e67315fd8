import type { ErrorCode } from './error-codes.ts';
import { faultCodes } from './koji-faults.ts';
import { printableLines } from './printable.ts';

/** Whose fault an error is. */
export type Blame = 'package' | 'request' | 'builder' | 'external';

/**
 * What becomes of a task that ends in an error. `fail`: with the error's fault code, for good. `refuse-hard`: never again on this
 * host; `refuse-soft`: on this host after a while. `free`: back to the queue, as if it had not been tried. `nothing`: the hub is
 * not told, because it knows or cannot be told.
 */
export type Disposition = 'fail' | 'refuse-hard' | 'refuse-soft' | 'free' | 'nothing';

/**
 * The base of every error this program throws on purpose. The message says what is wrong and, where something can
 * be done about it, what to change. Texts of others in it are made printable.
 */
export class BuilderError extends Error {
  readonly code: ErrorCode;
  readonly blame: Blame;
  readonly disposition: Disposition = 'fail';
  /** What a task fails with, where it fails: one of Koji's numbers, or another that a hub has sent. */
  readonly faultCode: number;

  constructor(code: ErrorCode, blame: Blame, message: string, options?: ErrorOptions) {
    super(printableLines(message), options);
    this.name = new.target.name;
    this.code = code;
    this.blame = blame;
    this.faultCode = blame === 'package' ? faultCodes.build : faultCodes.generic;
  }
}

/** Whether something that was thrown is an error of ours with one of these codes. */
export function hasErrorCode<Code extends ErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is BuilderError & { readonly code: Code } {
  return error instanceof BuilderError && codes.some((code) => code === error.code);
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
