import { hasErrorCode } from './errors.ts';

/**
 * Whether there was no room left, by the code of the error or one of its causes: the system's own, or `disk-full` where
 * this program has looked. What a message says decides nothing: it may quote names and output of a package.
 */
export function isDiskFull(error: unknown): boolean {
  return withCauses(error).some(
    (each) => hasErrorCode(each, 'disk-full') || hasSystemCode(each, ['ENOSPC', 'EDQUOT']),
  );
}

/** Whether this host's disk cannot be written to at all: a file system becomes read-only when it is damaged. */
export function isReadOnlyDisk(error: unknown): boolean {
  return withCauses(error).some((each) => hasSystemCode(each, ['EROFS', 'EIO']));
}

/** The error and what caused it. */
function withCauses(error: unknown): readonly Error[] {
  const found: Error[] = [];
  // Causes can go in a circle.
  for (let each = error; each instanceof Error && found.length < 8; each = each.cause) found.push(each);
  return found;
}

function hasSystemCode(error: Error, codes: readonly string[]): boolean {
  return 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}

/** Whether a text says so; a reason to look at the disk, and no more. */
export function saysDiskFull(text: string): boolean {
  return /no space left on device|disk quota exceeded|needs \d+[KMGT]?B? (more space )?on the .* filesystem/i.test(
    text,
  );
}

/** Whether a file operation failed because there is no such file. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
