import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';

/** A mail as the server got it; lines end in CR LF. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
}

/** What to answer to a command instead of the usual; `silence`: nothing, `hang up`: the connection ends. */
export type SmtpReply = string | 'silence' | 'hang up' | undefined;

/**
 * A mail server on a loopback port that takes everything unless `reply` says otherwise. `extensions` are
 * what EHLO announces. It ends with the test.
 */
export async function startSmtpServer(
  options: {
    readonly extensions?: readonly string[];
    readonly reply?: (line: string) => SmtpReply;
    /** Key and certificate in PEM, for when STARTTLS is among the extensions. */
    readonly tls?: { readonly key: string; readonly cert: string };
  } = {},
) {
  const { extensions = ['8BITMIME'], reply = () => undefined, tls } = options;
  const mails: ReceivedMail[] = [];
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  const heard = Promise.withResolvers<void>();

  const serve = (socket: Socket, isSecure = false): void => {
    sockets.add(socket);
    const ended = Promise.withResolvers<void>();
    closed.push(ended.promise);
    socket.on('error', () => socket.destroy()).on('close', ended.resolve);
    let envelope: { from: string; to: string[] } = { from: '', to: [] };
    let text: string[] | null = null;
    const say = (answer: SmtpReply): void => {
      if (answer === 'hang up') socket.destroy();
      else if (answer !== undefined && answer !== 'silence') socket.write(`${answer}\r\n`);
    };
    const usual = (line: string): SmtpReply => {
      const word = line.slice(0, 4).toUpperCase();
      const address = /<(.*)>/.exec(line)?.[1] ?? '';
      const offered = extensions.filter((one) => !(isSecure && one === 'STARTTLS'));
      if (word === 'EHLO') return ['250-here', ...offered.map((one) => `250-${one}`), '250 OK'].join('\r\n');
      if (word === 'MAIL') envelope = { from: address, to: [] };
      if (word === 'RCPT') envelope.to.push(address);
      if (word === 'AUTH') return '235 welcome';
      if (word === 'QUIT') return '221 bye';
      if (word === 'DATA') text = [];
      return word === 'DATA' ? '354 go on' : '250 OK';
    };
    const input = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
    input.on('line', (line) => {
      if (line === 'STARTTLS' && tls !== undefined) {
        lines.push(line);
        input.close();
        socket.removeAllListeners('data');
        say('220 go on');
        serve(new TLSSocket(socket, { isServer: true, ...tls }), true);
        return;
      }
      if (text === null) {
        lines.push(line);
        say(reply(line) ?? usual(line));
      } else if (line === '.') {
        mails.push({ ...envelope, text: text.map((one) => `${one.replace(/^\./, '')}\r\n`).join('') });
        text = null;
        say(reply('.') ?? '250 taken');
      } else text.push(line);
      heard.resolve();
    });
    if (!isSecure) say(reply('') ?? '220 here');
  };
  const closed: Promise<void>[] = [];
  const server = createServer((socket) => serve(socket));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    mails,
    /** Every line that was no text of a mail. */
    lines,
    port: address.port,
    host: `127.0.0.1:${address.port}`,
    /** Resolves when a client has said something. */
    heard: heard.promise,
    /** Resolves when all connections so far have ended. */
    allClosed: async (): Promise<void> => {
      await Promise.all(closed);
    },
  };
}
