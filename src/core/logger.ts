import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

import { printableJson } from './printable.ts';

export type Logger = PinoLogger;

/** Names of members that must never reach a log, at any depth a log call uses. */
const secrets = ['password', 'session-key', 'sessionKey', 'session_key', 'smtp_pass', 'key', 'krbcc'];

/**
 * A pino logger with secrets cut out, whose lines do nothing on a terminal. Every task logs through a child that carries `taskId` and
 * `method`.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    hooks: { streamWrite: printableJson },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secrets.flatMap((name) => [`["${name}"]`, `*["${name}"]`]), censor: '[secret]' },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
