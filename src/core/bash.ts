const head = ['#!/bin/bash', 'exec </dev/null 2>&1', 'set -u', 'umask 022', 'cd /'];

/** Before a command that shall see another machine name. */
export function personalityPrefix(personality: string | null): string {
  return personality === null ? '' : `setarch ${quote(personality)} `;
}

/** A script of these lines, as all of them begin. */
export function script(lines: readonly string[]): string {
  return `${[...head, ...lines].join('\n')}\n`;
}

/** A word for bash, whatever it holds. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
