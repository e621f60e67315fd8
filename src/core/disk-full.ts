/** Whether there was no room left: by the error or one of its causes, or by what an engine says about it. */
export function isDiskFull(error: unknown): boolean {
  let current: unknown = error;
  // Causes can go in a circle.
  for (let depth = 0; depth < 8 && current instanceof Error; depth += 1) {
    if ('code' in current && (current.code === 'ENOSPC' || current.code === 'EDQUOT')) return true;
    if (saysDiskFull(current.message)) return true;
    current = current.cause;
  }
  return false;
}

/** The same of a program's output. */
export function saysDiskFull(text: string): boolean {
  return /no space left on device|disk quota exceeded|needs \d+[KMGT]?B? (more space )?on the .* filesystem/i.test(
    text,
  );
}
