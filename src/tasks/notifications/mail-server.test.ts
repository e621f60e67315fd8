import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { type SmtpReply, startSmtpServer } from '../../../test/support/smtp-server.ts';
import { never } from '../../core/never.ts';
import { TaskFault } from '../errors.ts';
import { mailTimeoutMs, parseMailHost, sendMail } from './mail-server.ts';

const envelope = { from: 'koji@example.com', to: ['dev@example.com', 'qa@example.com'] };
const login = { user: 'koji', password: 'hush hush' };
const secrets = [login.password, Buffer.from(`\0koji\0${login.password}`).toString('base64')];
secrets.push(Buffer.from(login.password).toString('base64'));

async function setUp(
  options: Parameters<typeof startSmtpServer>[0] & { readonly login?: typeof login } = {},
) {
  const smtp = await startSmtpServer(options);
  const clock = new ManualClock();
  const abort = new AbortController();
  const server = {
    host: '127.0.0.1',
    port: smtp.port,
    ownName: 'builder.example.com',
    login: options.login ?? null,
  };
  const send = (text = 'To: all\r\n\r\n.hidden dot\r\n') =>
    sendMail(server, envelope, Buffer.from(text), clock, abort.signal);
  return { smtp, clock, abort, send };
}

const failure = (sending: Promise<unknown>): Promise<unknown> =>
  sending.then(
    () => 'sent',
    (error: unknown) => error,
  );

/** Answers to lines that begin with these words. */
const answers =
  (table: Readonly<Record<string, SmtpReply>>) =>
  (line: string): SmtpReply =>
    Object.entries(table).find(([start]) => (start === '' ? line === '' : line.startsWith(start)))?.[1];

describe('sendMail', () => {
  it('hands the mail over as it is, and takes its leave', async () => {
    const { smtp, send } = await setUp();

    expect(await send()).toEqual([]);
    await smtp.allClosed();

    expect(smtp.mails).toEqual([{ ...envelope, text: 'To: all\r\n\r\n.hidden dot\r\n' }]);
    expect(smtp.lines).toEqual([
      ...['EHLO builder.example.com', 'MAIL FROM:<koji@example.com>', 'RCPT TO:<dev@example.com>'],
      ...['RCPT TO:<qa@example.com>', 'DATA', 'QUIT'],
    ]);
  });

  it('says when a mail is not ASCII, to servers that want to know', async () => {
    const { smtp, send } = await setUp();

    await send('To: all\r\n\r\nfür\r\n');

    expect(smtp.lines).toContain('MAIL FROM:<koji@example.com> BODY=8BITMIME');
  });

  it('tells which recipients the server does not take, when it takes others', async () => {
    const { smtp, send } = await setUp({ reply: answers({ 'RCPT TO:<qa': '550 who?' }) });

    expect(await send()).toEqual(['qa@example.com']);
    expect(smtp.mails).toHaveLength(1);
  });

  it.each<[string, Readonly<Record<string, SmtpReply>>, RegExp]>([
    ['is full', { '': '554 no service' }, /554 no service/],
    ['hangs up at once', { '': 'hang up' }, /closed|ECONNRESET/],
    ['knows no EHLO and no HELO', { EHLO: '500 what?', HELO: '500 what?' }, /500 what/],
    ['does not take the sender', { MAIL: '550 5.7.1 not you' }, /550 5\.7\.1 not you/],
    ['takes no recipient', { RCPT: '550 nobody here' }, /550 nobody here/],
    ['takes no text', { DATA: '451 later' }, /451 later/],
    ['does not like the text', { '.': '552 too large' }, /552 too large/],
    ['hangs up in the middle', { RCPT: 'hang up' }, /closed|ECONNRESET/],
    ['hangs up before the last word', { '.': 'hang up' }, /closed|ECONNRESET/],
  ])('fails the task when the server %s', async (_what, table, text) => {
    const { smtp, send } = await setUp({ reply: answers(table) });

    const error = await failure(send());

    expect(error).toBeInstanceOf(TaskFault);
    expect(error).toMatchObject({ faultCode: 1000, blame: 'external', message: expect.stringMatching(text) });
    expect(String(error)).toContain(smtp.host);
    expect(String(error)).toContain('smtphost');
    await smtp.allClosed();
    expect(smtp.mails.length).toBe('.' in table ? 1 : 0);
  });

  it('fails the task when there is no server', async () => {
    const free = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
      });
    });
    const server = { host: '127.0.0.1', port: free, ownName: 'b', login: null };
    const sending = sendMail(server, envelope, Buffer.from('a'), new ManualClock(), never);

    await expect(sending).rejects.toThrow(new RegExp(`127\\.0\\.0\\.1:${free} .*ECONNREFUSED.*smtphost`));
  });

  it('continues without TLS when the server offers it and then has none', async () => {
    const { smtp, send } = await setUp({
      extensions: ['STARTTLS'],
      reply: answers({ STARTTLS: '454 not now' }),
    });

    await send();

    expect(smtp.mails).toHaveLength(1);
  });
});

describe('sendMail: a server that goes silent', () => {
  const stages = ['', 'EHLO', 'MAIL', 'RCPT', 'DATA', '.'];

  it.each(stages)('is given up after a while, and left: at %j', async (stage) => {
    const reached = Promise.withResolvers<void>();
    const { smtp, send, clock } = await setUp({
      reply: (line) => {
        if (stage === '' ? line !== '' : !line.startsWith(stage)) return undefined;
        reached.resolve();
        return 'silence';
      },
    });
    const sending = failure(send());
    await reached.promise;

    await clock.advance(mailTimeoutMs - 1);
    await clock.advance(1);

    const error = await sending;
    expect(error).toBeInstanceOf(TaskFault);
    expect(String(error)).toContain(`${smtp.host} took longer than 120 s`);
    await smtp.allClosed();
    expect(clock.sleeping).toBe(0);
  });

  it.each(stages)('does not keep a task that is stopped: at %j', async (stage) => {
    const reached = Promise.withResolvers<void>();
    const { smtp, send, abort, clock } = await setUp({
      reply: (line) => {
        if (stage === '' ? line !== '' : !line.startsWith(stage)) return undefined;
        reached.resolve();
        return 'silence';
      },
    });
    const sending = failure(send());
    await reached.promise;
    const reason = new Error('stopped');

    abort.abort(reason);

    expect(await sending).toBe(reason);
    await smtp.allClosed();
    expect(clock.sleeping).toBe(0);
  });
});

describe('sendMail: login', () => {
  it.each([
    ['PLAIN', [`AUTH PLAIN ${secrets[1]}`], {}],
    [
      'LOGIN',
      ['AUTH LOGIN', 'a29qaQ==', secrets[2]],
      { 'AUTH LOGIN': '334 VXNlcg==', 'a29qaQ==': '334 UGFzcw==' },
    ],
    [
      'CRAM-MD5',
      ['AUTH CRAM-MD5', expect.stringMatching(/^[A-Za-z0-9+/=]{40,}$/)],
      { 'AUTH CRAM': '334 PDE+' },
    ],
  ] satisfies [string, unknown[], Record<string, string>][])(
    'logs in by %s',
    async (method, lines, table) => {
      const last = (line: string) => (/^[\w+/=]{8,}$/.test(line) ? '235 welcome' : undefined);
      const { smtp, send } = await setUp({
        login,
        extensions: [`AUTH ${method}`],
        reply: (line) => answers(table)(line) ?? last(line),
      });

      await send();

      expect(smtp.lines.slice(1, 1 + lines.length)).toEqual(lines);
      expect(smtp.mails).toHaveLength(1);
    },
  );

  it.each<[string, SmtpReply, string]>([
    ['refuses', `535 5.7.8 no: AUTH PLAIN ${secrets[1]}`, '(535)'],
    ['refuses and leaves', `421 bye ${secrets[1]}`, '(421)'],
    ['leaves', 'hang up', '(no answer)'],
  ])('tells no secret when the server %s, whatever it says', async (_what, reply, text) => {
    const { smtp, send } = await setUp({
      login,
      extensions: ['AUTH PLAIN'],
      reply: answers({ AUTH: reply }),
    });

    const error = await failure(send());

    expect(error).toBeInstanceOf(TaskFault);
    expect(error).toHaveProperty('faultCode', 1000);
    expect(error).not.toHaveProperty('cause');
    expect(String(error)).toContain(`refuses the login of smtp_user ${text}`);
    for (const secret of secrets) expect(JSON.stringify(error) + String(error)).not.toContain(secret);
    await smtp.allClosed();
    expect(smtp.mails).toEqual([]);
  });

  it('does not tell the password to a server that offers no login', async () => {
    const { smtp, send } = await setUp({ login });

    await expect(send()).rejects.toThrow('offers no login');

    expect(smtp.lines).toEqual(['EHLO builder.example.com']);
  });
});

describe('parseMailHost', () => {
  it.each([
    ['mail.example.com', 'mail.example.com', 25],
    ['mail.example.com:587', 'mail.example.com', 587],
    ['::1', '::1', 25],
  ])('reads %s', (text, host, port) => {
    expect(parseMailHost(text)).toEqual({ host, port });
  });
});
