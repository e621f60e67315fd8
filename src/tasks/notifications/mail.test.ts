import { describe, expect, it } from 'vitest';
import { addressOf, type Mail, toMessage } from './mail.ts';

const plain: Mail = {
  from: 'Koji <koji@example.com>',
  to: ['dev@example.com', 'qa@example.com'],
  subject: 'built',
  headers: [
    ['X-Koji-Tag', 'f1'],
    ['X-Koji-Tag', 'f2'],
  ],
  body: 'one\r\ntwo\r\n',
};
const stamp = { date: new Date(0), id: 'task-5@hub' };
const text = (more: Partial<Mail> = {}) => toMessage({ ...plain, ...more }, stamp).toString();
const fieldsOf = (message: string) => message.slice(0, message.indexOf('\r\n\r\n')).split('\r\n');
const bodyOf = (message: string) => message.slice(message.indexOf('\r\n\r\n') + 4);

describe('toMessage', () => {
  it("has kojid's fields in kojid's order, then what every mail needs", () => {
    expect(text()).toBe(
      [
        'From: Koji <koji@example.com>',
        'Subject: built',
        'To: dev@example.com, qa@example.com',
        'X-Koji-Tag: f1',
        'X-Koji-Tag: f2',
        'Date: Thu, 01 Jan 1970 00:00:00 +0000',
        'Message-ID: <task-5@hub>',
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: 7bit',
        '',
        'one',
        'two',
        '',
      ].join('\r\n'),
    );
  });

  it('lets no value end its line', () => {
    const fields = fieldsOf(
      text({
        subject: 'a\r\nBcc: all@example.com',
        headers: [['X-Koji-User', 'b\n\n c\0']],
        to: ['d\r\n@example.com'],
      }),
    );

    expect(fields.slice(1, 4)).toEqual([
      'Subject: a Bcc: all@example.com',
      'To: d @example.com',
      'X-Koji-User: b  c ',
    ]);
  });

  it('writes what is no text in fields and body as escapes', () => {
    const message = text({ subject: 'a\x9b2J\u202eb', body: 'a\x1b[2J\tb\r\n\u2028\rc\r\n' });

    expect(fieldsOf(message)[1]).toBe('Subject: a\\x9b2J\\u202eb');
    expect(bodyOf(message)).toBe('a\\x1b[2J\tb\r\n\\u2028\\x0dc\r\n');
  });

  it('encodes what is not ASCII in fields, but no address', () => {
    const message = text({
      from: 'Bäume <koji@example.com>',
      subject: 'für',
      to: ['Jö <j@example.com>', 'ü@example.com'],
    });

    expect(fieldsOf(message).slice(0, 3)).toEqual([
      'From: =?UTF-8?B?QsOkdW1l?= <koji@example.com>',
      'Subject: =?UTF-8?B?ZsO8cg==?=',
      'To: =?UTF-8?B?SsO2?= <j@example.com>, ü@example.com',
    ]);
  });

  it('sends a body that is not ASCII as it is, with ends of lines as mails have them', () => {
    const message = text({ body: 'Zeile für\nZeile\r\n' });

    expect(message).toContain('Content-Transfer-Encoding: 8bit\r\n');
    expect(bodyOf(message)).toBe('Zeile für\r\nZeile\r\n');
  });

  it('parts lines that are longer than SMTP takes, so that readers get them whole', () => {
    const message = text({ body: `kurz=\r\n${'ü'.repeat(500)}\r\n` });

    expect(message).toContain('Content-Transfer-Encoding: quoted-printable\r\n');
    const body = bodyOf(message);
    expect(body.split('\r\n').every((line) => line.length <= 76)).toBe(true);
    const joined = body.replaceAll('=\r\n', '');
    expect(decodeURIComponent(joined.replaceAll('=', '%'))).toBe(`kurz=\r\n${'ü'.repeat(500)}\r\n`);
  });

  it('folds a list of recipients that is longer than a line may be', () => {
    const to = Array.from({ length: 100 }, (_, index) => `person-${index}@example.com`);
    const fields = text({ to }).split('\r\n').slice(2, 102);

    expect(fields[0]).toBe('To: person-0@example.com,');
    expect(fields.at(-1)).toBe(' person-99@example.com');
  });
});

describe('addressOf', () => {
  it.each([
    ['koji@example.com', 'koji@example.com'],
    ['Koji Build System <koji@example.com>', 'koji@example.com'],
    ['"Koji, the builder" <koji@example.com>', 'koji@example.com'],
    ['root', 'root'],
    ['', null],
    ['Koji Build System', null],
  ])('finds the address in %j: %s', (mailbox, address) => {
    expect(addressOf(mailbox)).toBe(address);
  });
});
