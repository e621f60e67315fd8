import addressparser from 'nodemailer/lib/addressparser';
import { encodeWords } from 'nodemailer/lib/mime-funcs';
import { encode as encodeQuotedPrintable, wrap } from 'nodemailer/lib/qp';

import { printable, printableLines } from '../../core/printable.ts';

/** A mail as kojid words it. */
export interface Mail {
  /** A mailbox, with or without a name: `Koji <koji@example.com>`. */
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  /** Further header fields, in order; a name may come twice. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Of lines that are printable one by one, where texts of others could make up more. */
  readonly body: string;
}

/** The longest line SMTP carries, without its end (RFC 5321, 4.5.3.1.6). */
const longestLineBytes = 998;

/**
 * The mail as it is sent, lines ending in CR LF: kojid's header fields in kojid's order and its body as it
 * is, and what a mail needs besides to be read rightly: date, id, character set.
 */
export function toMessage(mail: Mail, stamp: { readonly date: Date; readonly id: string }): Buffer {
  const body = Buffer.from(printableLines(mail.body.replaceAll('\r\n', '\n')).replaceAll('\n', '\r\n'));
  const { encoding, text } = encodeBody(body);
  const fields = [
    `From: ${mailbox(mail.from)}`,
    `Subject: ${words(mail.subject)}`,
    toField(mail.to.map(mailbox)),
    ...mail.headers.map(([name, value]) => `${name}: ${words(value)}`),
    `Date: ${stamp.date.toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${stamp.id}>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Transfer-Encoding: ${encoding}`,
  ];
  return Buffer.concat([Buffer.from(`${fields.join('\r\n')}\r\n\r\n`), text]);
}

/** The bare address of a mailbox, which may be a local name; null when there is none in it. */
export function addressOf(text: string): string | null {
  const [found] = addressparser(text);
  const address = found?.address || text.trim();
  return /^[^\s<>]+$/.test(address) ? address : null;
}

function encodeBody(body: Buffer): { readonly encoding: string; readonly text: Buffer } {
  const lines = body.toString('latin1').split('\r\n');
  if (lines.some((line) => line.length > longestLineBytes)) {
    return { encoding: 'quoted-printable', text: Buffer.from(wrap(encodeQuotedPrintable(body))) };
  }
  return { encoding: body.every((byte) => byte < 0x80) ? '7bit' : '8bit', text: body };
}

/** A value on one line, what is not ASCII in encoded words. */
function words(value: string): string {
  return encodeWords(oneLine(value), 'B', 52);
}

/** Only the name of a mailbox may be encoded; an address that is not ASCII needs a server that takes it. */
function mailbox(value: string): string {
  const text = oneLine(value);
  const [, name, address] = /^(.*\S)\s*(<[^<>]*>)$/.exec(text) ?? [];
  return name === undefined ? text : `${words(name)} ${address}`;
}

/** All on one line, as kojid does, unless that is longer than a line may be. */
function toField(mailboxes: readonly string[]): string {
  const field = `To: ${mailboxes.join(', ')}`;
  return Buffer.byteLength(field) <= longestLineBytes ? field : `To: ${mailboxes.join(',\r\n ')}`;
}

function oneLine(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not get into a header
  return printable(value.replaceAll(/[\x00-\x1f\x7f]+/g, ' '));
}
