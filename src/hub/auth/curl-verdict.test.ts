import { describe, expect, it } from 'vitest';
import { HubTransportError } from '../faults.ts';
import { type CurlResult, judgeCurl } from './curl-verdict.ts';

const url = 'https://hub/kojihub/ssllogin';
const names = { principal: 'compile/b1@R', keytabPath: '/k', ccachePath: '/cc' };

const connected =
  "* Connected to hub (127.0.0.1) port 443 (#0)\n* Server auth using Negotiate with user ''\n";
const request = '> POST /kojihub/ssllogin HTTP/1.1\n> Authorization: Negotiate YIIsecret\n> \n';

function judge(result: Partial<CurlResult> & { readonly stderr: string }) {
  return judgeCurl({ exitCode: 0, stdout: Buffer.from('<methodResponse/>'), ...result }, url, names);
}

describe('judgeCurl', () => {
  it('takes the body, the version and the time of the last answer', () => {
    const stderr = `${connected}${request}< HTTP/1.1 401 Unauthorized\r\n< WWW-Authenticate: Negotiate\r\n< Koji-Version: 1\r\n${request}< HTTP/1.1 200 OK\r\n< Date: Fri, 27 Nov 2026 23:40:07 GMT\r\n< WWW-Authenticate: Negotiate oYG3\r\n< Koji-Version: 1.35.3\r\n< \r\n`;

    expect(judge({ stderr })).toEqual({
      body: Buffer.from('<methodResponse/>'),
      hubVersion: '1.35.3',
      dateMs: Date.UTC(2026, 10, 27, 23, 40, 7),
    });
  });

  it('passes a fault of the hub on when the ticket was taken', () => {
    const stderr = `${request}< HTTP/1.1 200 OK\n< WWW-Authenticate: Negotiate oYG3\n`;

    expect(judge({ stderr, stdout: Buffer.from('<fault>1002</fault>') })).toMatchObject({ hubVersion: null });
  });

  const gss = (minor: string) =>
    `* gss_init_sec_context() failed: No credentials were supplied, or the credentials were unavailable or inaccessible. ${minor}. \n`;
  const refused = '< HTTP/1.1 401 Unauthorized\n< WWW-Authenticate: Negotiate\n';

  it.each<[string, string, string, number, string | RegExp]>([
    [
      'an unknown reason',
      `${gss('Cosmic ray')}${refused}`,
      'hub-login',
      0,
      'Kerberos login of compile/b1@R: Cosmic ray',
    ],
    [
      'no KDC',
      `${gss("Cannot find KDC for realm 'R'")}${request}${refused}${gss("Cannot find KDC for realm 'R'")}`,
      'hub-unreachable',
      0,
      "Kerberos login of compile/b1@R: Cannot find KDC for realm 'R'; check krb5.conf, the network and the KDC",
    ],
    ['clocks', `${gss('Clock skew too great')}${refused}`, 'hub-login', 0, /same time servers$/],
    [
      'a ticket that is not taken',
      `${request}${refused}`,
      'hub-login',
      0,
      /does not take the ticket: HTTP status 401;/,
    ],
    [
      'another scheme',
      `${request}< HTTP/1.1 401 Unauthorized\n< WWW-Authenticate: Basic\n`,
      'hub-login',
      0,
      /AuthType GSSAPI/,
    ],
    [
      'two schemes',
      `${request}< HTTP/1.1 401 U\n< WWW-Authenticate: Basic\n< WWW-Authenticate: Negotiate\n`,
      'hub-login',
      0,
      /does not take/,
    ],
    [
      'a server in trouble',
      `${request}< HTTP/1.1 503 Busy\n`,
      'hub-status',
      0,
      /HTTP status 503 Busy; the hub or a proxy/,
    ],
    [
      'another place',
      `${request}< HTTP/1.1 302 Found\n< Location: https://sso/?x=secret\n`,
      'hub-status',
      0,
      /points to https:\/\/sso\/; check/,
    ],
    [
      'nobody at that address',
      'curl: (7) Failed to connect to hub port 443\n',
      'hub-unreachable',
      7,
      /\(7\) Failed to connect.*check option "server"/,
    ],
    ['silence', 'curl: (28) Operation timed out\n', 'hub-timeout', 28, /\(28\) Operation timed out$/],
    ['a broken connection', `${request}curl: (52) Empty reply from server\n`, 'hub-dropped', 52, /\(52\)/],
    ['a killed curl', '', 'hub-dropped', -1, /curl ended with -1$/],
    ['no answer at all', '', 'hub-dropped', 0, /curl ended with 0$/],
  ])('names the trouble: %s', (_, stderr, code, exitCode, message) => {
    const verdict = judge({ stderr, exitCode, stdout: Buffer.alloc(0) });

    expect(verdict).toBeInstanceOf(HubTransportError);
    expect(verdict).toMatchObject({
      code,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
    expect(JSON.stringify(verdict) + String(verdict)).not.toContain('secret');
  });
});
