import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { never } from '../../src/core/never.ts';
import { sendMail } from '../../src/tasks/notifications/mail-server.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startSmtpServer } from '../support/smtp-server.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const reason = hasOpenssl ? '' : ' (skipped: there is no openssl)';

/** A key and a certificate that nobody has signed but its owner. */
function makeCertificate(): { readonly key: string; readonly cert: string } {
  const directory = mkdtempSync(join(tmpdir(), 'mail-tls-'));
  try {
    const files = ['-keyout', join(directory, 'key'), '-out', join(directory, 'cert')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
    const made = spawnSync('openssl', ['req', '-x509', ...kind, '-subj', '/CN=elsewhere', ...files]);
    if (made.status !== 0) throw new Error(made.stderr.toString());
    return {
      key: readFileSync(join(directory, 'key'), 'utf8'),
      cert: readFileSync(join(directory, 'cert'), 'utf8'),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe.skipIf(!hasOpenssl)(`sendMail to a server with STARTTLS${reason}`, () => {
  it('logs in and sends inside TLS, whoever signed the certificate', async () => {
    const smtp = await startSmtpServer({ tls: makeCertificate(), extensions: ['STARTTLS', 'AUTH PLAIN'] });
    const server = {
      host: '127.0.0.1',
      port: smtp.port,
      ownName: 'builder',
      login: { user: 'koji', password: 'hush' },
    };
    const envelope = { from: 'koji@example.com', to: ['dev@example.com'] };

    await sendMail(server, envelope, Buffer.from('To: dev\r\n\r\nhello\r\n'), new ManualClock(), never);

    expect(smtp.mails).toEqual([{ ...envelope, text: 'To: dev\r\n\r\nhello\r\n' }]);
    expect(smtp.lines.slice(0, 4)).toEqual([
      ...['EHLO builder', 'STARTTLS', 'EHLO builder', 'AUTH PLAIN AGtvamkAaHVzaA=='],
    ]);
  });
});
