import { describe, expect, it } from 'vitest';
import { buildRow } from '../../../test/support/hub-rows.ts';
import { startSmtpServer } from '../../../test/support/smtp-server.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import { buildNotification, tagNotification } from './index.ts';

const tag = { id: 10, name: 'f1' };
const user = { id: 21, name: 'dev' };

async function setUp(
  method: string,
  kojid: readonly string[] = [],
  reply: (line: string) => string | undefined = () => undefined,
) {
  const server = await startSmtpServer({ reply });
  const bench = await openTaskBench({ method, kojid: [`smtphost = ${server.host}`, ...kojid] });
  bench.session.on('getBuild', buildRow()).on('getTag', tag).on('getUser', user);
  return { server, ...bench };
}

describe('tagNotification', () => {
  const request = [['dev@example.com'], true, 10, null, 90, 21] as const;

  it('asks for what the mail tells, and no more', async () => {
    const { run, session, server } = await setUp('tagNotification');

    await run(tagNotification, ...request);

    expect(session.methods).toEqual(['getTag', 'getBuild', 'getUser']);
    expect(server.mails[0]?.text).toContain(`Message-ID: <tagNotification-5@hub>\r\nMIME-Version: 1.0\r\n`);
  });

  it.each([
    ['getTag', 'No such tag: 10'],
    ['getBuild', 'No such build: 90'],
    ['getUser', 'No such user: 21'],
  ])('fails when %s knows nothing', async (method, message) => {
    const { run, session, server } = await setUp('tagNotification');
    session.on(method, null);

    await expect(run(tagNotification, ...request)).rejects.toMatchObject({ faultCode: 1000, message });
    expect(server.lines).toEqual([]);
  });

  it('fails without any tag', async () => {
    const { run } = await setUp('tagNotification');

    await expect(run(tagNotification, ['a@b'], true, null, null, 90, 21)).rejects.toMatchObject({
      faultCode: 1019,
    });
  });

  it('fails when from_addr is no address, and says where it stands', async () => {
    const { run } = await setUp('tagNotification', ['from_addr = Koji Build System']);

    await expect(run(tagNotification, ...request)).rejects.toThrow(
      '"Koji Build System" is not a mail address (correct from_addr in kojid.conf of this builder)',
    );
  });

  it('says in the log whom the server does not take', async () => {
    const { run, lines } = await setUp('tagNotification', [], (line) =>
      line.includes('gone@') ? '550 who?' : undefined,
    );

    await run(tagNotification, ['gone@example.com', 'dev@example.com'], ...request.slice(1));

    expect(lines).toMatchObject([{ level: 40, rejected: ['gone@example.com'] }]);
  });

  it.each([
    ['no smtp_pass', ['smtp_user = koji'], []],
    ['an empty smtp_user', ['smtp_user =', 'smtp_pass = hush'], []],
    ['both', ['smtp_user = koji', 'smtp_pass = hush'], ['AUTH PLAIN AGtvamkAaHVzaA==']],
  ])('logs in with %s: %j', async (_what, kojid, expected) => {
    const { run, server, lines } = await setUp('tagNotification', kojid, (line) =>
      line.startsWith('EHLO') ? '250-here\r\n250 AUTH PLAIN' : undefined,
    );

    await run(tagNotification, ...request);

    expect(server.lines.filter((line) => line.startsWith('AUTH'))).toEqual(expected);
    expect(JSON.stringify(lines)).not.toContain('hush');
  });
});

describe('what a mail says of others', () => {
  it('stays on the line that it is on', async () => {
    const { run, session, server } = await setUp('tagNotification');
    const sneaky = 'x\r\nStatus: complete\r\n';
    session.on('getTag', { ...tag, name: `f1${sneaky}` }).on('getUser', { ...user, name: `dev${sneaky}` });
    session.on('getBuild', buildRow({ nvr: `hello-1-1${sneaky}`, package_name: `hello${sneaky}` }));

    await run(tagNotification, ['dev@example.com'], false, 10, null, 90, 21, null, 'no');

    const [mail] = server.mails;
    expect(mail?.text.match(/^(X-Koji-)?Status: .*$/gm)).toEqual(['X-Koji-Status: failed', 'Status: failed']);
    expect(mail?.text).toContain('User: devx\\x0d\\x0aStatus: complete\\x0d\\x0a\r\n');
  });
});

describe('buildNotification', () => {
  it('fails with what is wrong when the build has a state that there is not', async () => {
    const { run } = await setUp('buildNotification');

    await expect(
      run(buildNotification, ['a@b'], buildRow({ state: 9 }), null, 'http://web'),
    ).rejects.toMatchObject({ faultCode: 1019, message: 'no build state is 9' });
  });
});
