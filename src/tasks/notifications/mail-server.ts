import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Clock } from '../../core/clock.ts';
import { untilAborted, withDeadline } from '../../core/deadline.ts';
import { BuilderError, describeError } from '../../core/errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { TaskFault } from '../errors.ts';

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** Without it there is no login. */
  readonly login: { readonly user: string; readonly password: string } | null;
  /** How this machine calls itself. */
  readonly ownName: string;
}

export interface Envelope {
  readonly from: string;
  readonly to: readonly string[];
}

/** How long a mail may take, from the look-up of the server's name to its last word. */
export const mailTimeoutMs = 120_000;

/** `smtphost` as Python's smtplib reads it: a port behind a single colon, else 25. */
export function parseMailHost(text: string): { readonly host: string; readonly port: number } {
  const [, host, digits] = /^([^:]*):(\d+)$/.exec(text) ?? [];
  return host === undefined ? { host: text, port: 25 } : { host, port: Number(digits) };
}

/**
 * Hands a mail to the server, once. Resolves with the recipients that the server does not take, when it takes
 * others. Rejects with a `TaskFault` 1000 when the server is away, too slow, refuses the login, the sender or
 * all recipients, and with the signal's reason. Neither log nor fault has a word of what the server
 * says during a login: some servers repeat what they were sent.
 */
export async function sendMail(
  server: MailServer,
  envelope: Envelope,
  message: Buffer,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const place = `${server.host}:${server.port}`;
  try {
    return await withDeadline(clock, mailTimeoutMs, `the mail server ${place}`, (late) =>
      converse(server, envelope, message, AbortSignal.any([signal, late])),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TaskFault) throw error;
    const what =
      error instanceof BuilderError
        ? error.message
        : `the mail server ${place} does not take the mail: ${describeError(error)}`;
    const remedy = 'no mail was sent; see smtphost in kojid.conf of this builder';
    throw new TaskFault(faultCodes.generic, 'external', `${what} (${remedy})`);
  }
}

async function converse(
  server: MailServer,
  envelope: Envelope,
  message: Buffer,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const socket = await open(server, signal);
  const connection = new SMTPConnection({
    connection: socket,
    host: server.host,
    port: server.port,
    name: server.ownName,
    secure: server.port === 465,
    // As between mail servers: encrypted where the server offers it, whatever its certificate.
    opportunisticTLS: true,
    tls: { rejectUnauthorized: false },
    connectionTimeout: mailTimeoutMs,
    greetingTimeout: mailTimeoutMs,
    socketTimeout: mailTimeoutMs,
    socketCloseTimeout: 1000,
  });
  const broken = Promise.withResolvers<never>();
  // What happens to the connection after QUIT does not matter.
  broken.promise.catch(() => undefined);
  connection.on('error', broken.reject);
  connection.on('end', () => broken.reject(new Error('the connection was closed')));
  const step: Step = (work) => untilAborted(Promise.race([broken.promise, promised(work)]), signal);
  try {
    await step((done) => connection.connect(done));
    if (server.login !== null && !connection.allowsAuth) throw loginFault(server, 'offers no login');
    if (server.login !== null) {
      const { user, password: pass } = server.login;
      await step((done) => connection.login({ user, pass }, done)).catch((error: unknown) => {
        if (signal.aborted) throw error;
        throw loginFault(server, `refuses the login of smtp_user (${statusOf(error) ?? 'no answer'})`);
      });
    }
    const use8BitMime = message.some((byte) => byte >= 0x80);
    let rejected: readonly string[] = [];
    await step((done) =>
      connection.send({ from: envelope.from, to: [...envelope.to], use8BitMime }, message, (error, sent) => {
        rejected = sent?.rejected ?? [];
        done(error);
      }),
    );
    connection.quit();
    return rejected;
  } finally {
    connection.close();
  }
}

type Done = (error?: Error | null) => void;
type Step = (work: (done: Done) => void) => Promise<void>;

function promised(work: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    work((error) => (error ? reject(error) : resolve()));
  });
}

/** Says nothing of what the server said. */
function loginFault({ host, port }: MailServer, what: string): TaskFault {
  const remedy = 'no mail was sent; see smtp_user and smtp_pass in kojid.conf of this builder';
  return new TaskFault(faultCodes.generic, 'external', `the mail server ${host}:${port} ${what} (${remedy})`);
}

/** The number a server's answer began with. */
function statusOf(error: unknown): number | null {
  const isNumbered = error instanceof Error && 'responseCode' in error;
  return isNumbered && typeof error.responseCode === 'number' ? error.responseCode : null;
}

/** A connection of our own making: names are looked up as every program of the machine does. */
async function open({ host, port }: MailServer, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port });
  try {
    await untilAborted(once(socket, 'connect'), signal);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}
