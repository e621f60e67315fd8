import { isPrintable } from './printable.ts';

/** The longest name of a file on Linux. */
export const longestNameBytes = 255;

/**
 * Why a text of a stranger cannot be the name of one file in a directory: a predicate for a message, or null when it
 * can. Stricter than the kernel: a name that could do more than be read on a terminal is none.
 */
export function whyNoFileName(text: string): string | null {
  if (text === '') return 'is empty';
  if (text === '.' || text === '..') return 'stands for a directory';
  if (text.includes('/')) return 'has a slash';
  if (!isPrintable(text)) return 'has control characters, or bytes that are not UTF-8';
  const bytes = Buffer.byteLength(text);
  return bytes > longestNameBytes ? `has ${bytes} bytes, ${longestNameBytes} are the most` : null;
}
