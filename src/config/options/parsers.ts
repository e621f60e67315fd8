import { z } from 'zod';
import { splitWords, strip } from '../format/python-text.ts';

/** How the text of a value becomes a typed one; a schema issue's message says what is wrong and what to write. */
export interface OptionType<T> {
  /** What an operator is told about it: `whole number`, `yes or no`. */
  readonly label: string;
  readonly schema: z.ZodType<T, string>;
}

/** Why a value is not taken. */
export class Rejection {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** What `convert` of an option type gives for a value that is not taken: what is wrong and what to write. */
export function reject(message: string): Rejection {
  return new Rejection(message);
}

/** A kind of value, from the function that makes one of a text. */
export function typeOf<T>(label: string, convert: (text: string) => T | Rejection): OptionType<T> {
  const schema = z.string().transform((text, context): T => {
    const value = convert(text);
    if (!(value instanceof Rejection)) return value;
    context.addIssue({ code: 'custom', message: value.message });
    return z.NEVER;
  });
  return { label, schema };
}

/** Any text. */
export const text: OptionType<string> = typeOf('text', (value) => value);

/** What Python's `int()` takes: a sign, digits, single underscores between them. */
export function integer(least: number | null = null, unit?: string): OptionType<number> {
  return typeOf(unit === undefined ? 'whole number' : `whole number (${unit})`, (value) => {
    const digits = strip(value);
    const number = Number(digits.replaceAll('_', ''));
    if (!/^[+-]?\d+(_\d+)*$/.test(digits) || !Number.isSafeInteger(number)) {
      return reject(
        `"${value}" is not a whole number; write digits only${unit === undefined ? '' : `, in ${unit}`}`,
      );
    }
    return least !== null && number < least
      ? reject(`${number} is too small; the least is ${least}`)
      : number;
  });
}

/** A time in whole seconds, none below `least`. */
export function seconds(least: number | null = null): OptionType<number> {
  return integer(least, 'seconds');
}

/** A positive number, which may have a fraction, none below `least`; empty: null. */
export function positiveDecimal(least: number): OptionType<number | null> {
  return typeOf('number', (value) => {
    if (value === '') return null;
    if (!/^\d+(\.\d+)?$/.test(value) || Number(value) === 0)
      return reject(`"${value}" is not a number above zero; write one such as 2 or 1.5`);
    return Number(value) < least ? reject(`${value} is too small; the least is ${least}`) : Number(value);
  });
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 'yes', 'true', 'on'].map((word) => [word, true] as const),
  ...['0', 'no', 'false', 'off'].map((word) => [word, false] as const),
]);

/** What `RawConfigParser.getboolean` takes. */
export const boolean: OptionType<boolean> = typeOf(
  'yes or no',
  (value) =>
    booleans.get(value.toLowerCase()) ??
    reject(`"${value}" is neither yes nor no; write one of ${[...booleans.keys()].join(', ')}`),
);

/** One of some words, as written. */
export function choice<const Word extends string>(...words: readonly Word[]): OptionType<Word> {
  return typeOf(
    `one of ${words.filter((word) => word !== '').join(', ')}`,
    (value) => words.find((word) => word === value) ?? reject(`"${value}" is none of ${words.join(', ')}`),
  );
}

/** Words between white space (`str.split()`). */
export const words: OptionType<readonly string[]> = typeOf('list, space separated', splitWords);

/** Parts between a separator, blank ones left out. */
export function separated(separator: ',' | ':'): OptionType<readonly string[]> {
  const label = separator === ',' ? 'list, comma separated' : 'list, colon separated';
  return typeOf(label, (value) =>
    value
      .split(separator)
      .map(strip)
      .filter((part) => part !== ''),
  );
}

/** A path; a relative one is seen from the working directory, and empty means none. */
export const path: OptionType<string> = { ...text, label: 'path' };

/** A path that other programs get too, so that no working directory may matter; empty means none. */
export const absolutePath: OptionType<string> = typeOf('absolute path', (value) =>
  value === '' || value.startsWith('/')
    ? value
    : reject(`"${value}" is a relative path; write it from the root on: /...`),
);

/** A directory the daemon cannot do without. */
export const requiredDirectory: OptionType<string> = typeOf('absolute path', (value) =>
  value.startsWith('/')
    ? value
    : reject(`"${value}" is not an absolute path; write it from the root on: /...`),
);

function webAddress(value: string): string | Rejection {
  const url = URL.canParse(value) ? new URL(value) : null;
  return url !== null && ['http:', 'https:'].includes(url.protocol)
    ? value
    : reject(`"${value}" is not a web address; write one that begins with http:// or https://`);
}

/** One http or https address, kept as written. */
export const webUrl: OptionType<string> = typeOf('URL', webAddress);

/**
 * Addresses of one file tree between white space, on the web or (`file:`) on this host; kojid uses the first for all but
 * the package repositories. None: the tree is at `topdir`.
 */
export const treeUrls: OptionType<readonly string[]> = typeOf('URLs, space separated', (value) => {
  const urls = splitWords(value);
  const bad = urls
    .filter((url) => !isFileUrl(url))
    .map(webAddress)
    .find((checked) => checked instanceof Rejection);
  return bad instanceof Rejection ? bad : urls;
});

/** `file:///mnt/koji`: a path of this host. */
function isFileUrl(value: string): boolean {
  return value.startsWith('file:///') && URL.canParse(value);
}

const unitBytes: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A size in bytes, as `512M` or `4G` (powers of 1024); empty: null. */
export const size: OptionType<number | null> = sizeFrom(1);

/** The same, none below so many mebibytes. */
export function sizeOfAtLeast(mebibytes: number): OptionType<number | null> {
  return sizeFrom(mebibytes * 2 ** 20, `; the least is ${mebibytes}M`);
}

function sizeFrom(least: number, hint = ''): OptionType<number | null> {
  return typeOf('size (4G, 512M)', (value) => toBytes(value, least, hint));
}

function toBytes(value: string, least: number, hint: string): number | null | Rejection {
  if (value === '') return null;
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(value) ?? [];
  const bytes = Math.floor(Number(digits) * (unitBytes[unit.toLowerCase()] ?? Number.NaN));
  if (digits === '' || bytes <= 0 || !Number.isSafeInteger(bytes))
    return reject(`"${value}" is not a size; write a number above zero and K, M, G or T, as 4G`);
  return bytes < least ? reject(`${value} is too small${hint}`) : bytes;
}

/** A Unix socket, by its path or as `unix:///path`; empty: null. */
export const unixSocket: OptionType<string | null> = typeOf('path of a Unix socket', (value) => {
  if (value === '') return null;
  const plain = value.startsWith('unix://') ? value.slice('unix://'.length) : value;
  return plain.startsWith('/')
    ? plain
    : reject(`"${value}" is not a Unix socket; write its absolute path, as /run/podman/podman.sock`);
});

/** `host:port`, IPv6 addresses in brackets. */
export const hostAndPort: OptionType<{ readonly host: string; readonly port: number }> = typeOf(
  'host:port',
  (value) => {
    const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/i.exec(value) ?? [];
    const host = bracketed ?? plain;
    return host !== undefined && Number(digits) <= 65_535
      ? { host, port: Number(digits) }
      : reject(`"${value}" is not a host and port; write them as 127.0.0.1:8080 or [::1]:8080`);
  },
);

/** How long to wait for the container engine. */
export interface ContainerTimeouts {
  readonly pullMs: number;
  readonly startMs: number;
}

const timeoutNames: ReadonlyMap<string, keyof ContainerTimeouts | null> = new Map([
  ['pull', 'pullMs'],
  ['start', 'startMs'],
  // Older configurations have it.
  ['stop_grace', null],
]);

/** `pull=300,start=60`, each in seconds; what is left out keeps its default. `stop_grace` is taken and dropped. */
export function containerTimeouts(defaults: ContainerTimeouts): OptionType<ContainerTimeouts> {
  return typeOf('pull=, start= in seconds, comma separated', (value) => {
    const timeouts: { -readonly [Name in keyof ContainerTimeouts]: number } = { ...defaults };
    for (const part of value.split(/[,\s]+/).filter((piece) => piece !== '')) {
      const [, word = '', digits = ''] = /^([a-z_]+)=(\d+)$/.exec(part) ?? [];
      const name = timeoutNames.get(word);
      const ms = Number(digits) * 1000;
      if (name === undefined || !Number.isSafeInteger(ms) || (ms === 0 && name !== null))
        return reject(`"${part}" is not a timeout; write pull=SECONDS or start=SECONDS`);
      if (name !== null) timeouts[name] = ms;
    }
    return timeouts;
  });
}

/** One of the operator's own mounts. */
export interface OperatorMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly relabel?: 'z' | 'Z';
}

/** `/source:/target:ro|rw[:z|Z]`, space separated. */
export const containerMounts: OptionType<readonly OperatorMount[]> = typeOf(
  '/source:/target:ro|rw[:z|Z], space separated',
  (value) => {
    const mounts: OperatorMount[] = [];
    for (const part of splitWords(value)) {
      const [, source, target, mode, relabel] = /^(\/[^:]*):(\/[^:]+):(ro|rw)(?::([zZ]))?$/.exec(part) ?? [];
      if (source === undefined || target === undefined) {
        return reject(
          `"${part}" is not a mount; write /source:/target:ro, or :rw, and :z or :Z behind it for SELinux`,
        );
      }
      if (mounts.some((mount) => mount.target === target)) return reject(`two mounts at ${target}; keep one`);
      const mount = { source, target, readOnly: mode === 'ro' };
      mounts.push(relabel === 'z' || relabel === 'Z' ? { ...mount, relabel } : mount);
    }
    return mounts;
  },
);

/** The prefix of the labels that the daemon itself needs to find its containers again. */
const OWN_LABELS = 'io.koji.adjutant.';

/** `name=value`, separated by commas or white space. */
export const containerLabels: OptionType<Readonly<Record<string, string>>> = typeOf(
  'name=value, comma separated',
  (value) => {
    const labels = new Map<string, string>();
    for (const part of value.split(/[,\s]+/).filter((piece) => piece !== '')) {
      const [, name, content] = /^([A-Za-z0-9][\w./-]*)=(.*)$/.exec(part) ?? [];
      if (name === undefined || content === undefined)
        return reject(`"${part}" is not a label; write name=value`);
      if (name.startsWith(OWN_LABELS))
        return reject(`labels ${OWN_LABELS}* are the daemon's own; take another name`);
      labels.set(name, content);
    }
    return Object.fromEntries(labels);
  },
);
