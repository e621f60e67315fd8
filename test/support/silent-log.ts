import { createLogger, type Logger } from '../../src/core/logger.ts';

/** A logger that says nothing. */
export const silentLog: Logger = createLogger('silent');

/** A logger that keeps its lines, from level `info` on. */
export function keptLog(): { readonly log: Logger; readonly lines: readonly Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('info', {
    write: (line) => {
      lines.push(JSON.parse(line));
    },
  });
  return { log, lines };
}
