import { describe, expect, it } from 'vitest';
import { keytab, keytabEntry } from '../../test/support/keytab-bytes.ts';
import { type MemoryEntry, memoryFiles } from '../../test/support/memory-files.ts';
import { type Auth, authOf, hubTlsOf, principalOf } from './auth.ts';
import { loadConfig } from './load.ts';
import { ConfigError, formatProblem } from './problem.ts';

const KOJID = '/k.conf';
const PEM = '-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n';

interface Outcome {
  readonly auth?: Auth;
  readonly tls?: { readonly verify: boolean; readonly caPath?: string };
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Line 4 is the first of `lines`. */
function login(
  lines: readonly string[],
  more: Record<string, MemoryEntry> = {},
  server = 'https://hub/x',
): Outcome {
  const text = ['[kojid]', `server = ${server}`, 'topurl = http://hub/f', ...lines].join('\n');
  const files = memoryFiles({ '/mnt/koji': null, [KOJID]: text, ...more });
  try {
    const config = loadConfig({ configPath: KOJID, env: {}, files });
    return {
      auth: authOf(config, files),
      tls: hubTlsOf(config),
      problems: [],
      warnings: config.warnings.map(formatProblem),
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems.map(formatProblem), warnings: error.warnings.map(formatProblem) };
  }
}

describe('authOf', () => {
  it('takes the password when there is a user and no certificate', () => {
    const { auth, problems } = login(['user = b', 'password = p#1']);

    expect(problems).toEqual([]);
    expect(auth).toEqual({ kind: 'password', user: 'b', password: 'p#1' });
  });

  it('takes the certificate before the password', () => {
    const outcome = login(['user = b', 'password = p', 'cert = /c.pem', 'serverca = /ca.pem'], {
      '/c.pem': PEM,
      '/ca.pem': PEM,
    });

    expect(outcome.auth).toEqual({ kind: 'certificate', certPath: '/c.pem', caPath: '/ca.pem' });
    expect(outcome.warnings).toEqual([`${KOJID}:5: password: has no effect: the certificate is used`]);
  });

  it("finds the certificates at kojid's places", () => {
    const { auth } = login(['user = b', 'password = p'], {
      '/etc/kojid/client.crt': PEM,
      '/etc/kojid/serverca.crt': PEM,
    });

    expect(auth).toEqual({
      kind: 'certificate',
      certPath: '/etc/kojid/client.crt',
      caPath: '/etc/kojid/serverca.crt',
    });
  });

  it('leaves those places alone when the key is set to nothing', () => {
    const { auth } = login(['user = b', 'password = p', 'cert ='], { '/etc/kojid/client.crt': PEM });

    expect(auth?.kind).toBe('password');
  });

  it('falls back to the password when the certificate is not there, and warns', () => {
    const { auth, warnings } = login(['user = b', 'password = p', 'cert = /c.pem']);

    expect(auth?.kind).toBe('password');
    expect(warnings).toEqual([
      `${KOJID}:6: cert: there is no file /c.pem; the password is used instead, as kojid does`,
    ]);
  });

  it('is Kerberos when nothing else is left', () => {
    const config = loadConfig({
      configPath: KOJID,
      env: {},
      files: memoryFiles({
        [KOJID]: '[kojid]\nserver = http://h\ntopurl = http://h\nuser = b\npassword = p\n',
      }),
    });

    const auth = authOf({ kojid: { ...config.kojid, user: null } }, memoryFiles({}));

    expect(auth).toEqual({
      kind: 'kerberos',
      principal: null,
      principalFormat: 'compile/%s@EXAMPLE.COM',
      keytabPath: '/etc/kojid/kojid.keytab',
      ccachePath: '/var/tmp/kojid.ccache',
    });
  });
});

describe('principalOf', () => {
  const auth = {
    kind: 'kerberos',
    principal: null,
    principalFormat: 'c%%/%s@R',
    keytabPath: '',
    ccachePath: '',
  } as const;

  it.each([
    [null, 'c%/b1.example.com@R'],
    ['someone@R', 'someone@R'],
    ['', null],
  ])('with krb_principal %j', (principal, expected) => {
    expect(principalOf({ ...auth, principal }, 'b1.example.com')).toBe(expected);
  });
});

describe('the checks of the login', () => {
  it.each([
    ['nothing at all', [], {}, 'there is no way to log in to the hub; set cert'],
    ['a user without password', ['user = b'], {}, `${KOJID}:4: user: a user without password`],
    ['a password without user', ['password = p'], {}, `${KOJID}:4: password: a password without user`],
    [
      'a certificate nobody may read',
      ['cert = /c'],
      { '/c': { unreadable: true } },
      `${KOJID}:4: cert: /c cannot be read`,
    ],
    [
      'a certificate without its key',
      ['cert = /c'],
      { '/c': '-----BEGIN CERTIFICATE-----' },
      `${KOJID}:4: cert: /c has no PRIVATE KEY; put`,
    ],
    ['a certificate that is none', ['cert = /c'], { '/c': 'x' }, 'has no CERTIFICATE and no PRIVATE KEY'],
    [
      'a CA that is not there',
      ['user = b', 'password = p', 'serverca = /ca'],
      {},
      `${KOJID}:6: serverca: /ca is missing`,
    ],
    [
      'a CA nobody may read',
      ['user = b', 'password = p', 'serverca = /ca'],
      { '/ca': { unreadable: true } },
      `${KOJID}:6: serverca: /ca is missing or cannot be read`,
    ],
    [
      'a principal without its keytab',
      ['krb_principal = x'],
      {},
      'keytab: /etc/kojid/kojid.keytab is not there; correct the path',
    ],
    [
      'a keytab nobody may read',
      ['keytab = /k'],
      { '/k': { unreadable: true } },
      `${KOJID}:4: keytab: /k cannot`,
    ],
    [
      'a keytab that is none',
      [],
      { '/etc/kojid/kojid.keytab': '' },
      'keytab: /etc/kojid/kojid.keytab is not a keytab',
    ],
    [
      'a keytab of somebody else',
      ['krb_principal = b2@R', 'keytab = /k'],
      { '/k': keytab(keytabEntry('R', 'b1')) },
      `${KOJID}:5: keytab: /k holds no key of b2@R, but of b1@R; correct krb_principal`,
    ],
    [
      'a principal in two words',
      ['krb_principal = b 1', 'keytab ='],
      {},
      `${KOJID}:4: krb_principal: "b 1" is not a principal`,
    ],
    ...['compile@R', '%s/%s@R', '%d@R', 'a %s@R'].map((format): [string, string[], object, string] => [
      `the format ${format}`,
      [`host_principal_format = ${format}`, 'keytab ='],
      {},
      `${KOJID}:4: host_principal_format: "${format}" must hold %s, once`,
    ]),
    [
      'a CA that is not there, for Kerberos forces https',
      ['serverca = /ca', 'keytab ='],
      {},
      `${KOJID}:4: serverca: /ca is missing`,
    ],
  ] satisfies [string, string[], Record<string, MemoryEntry>, string][])(
    'refuse %s',
    (_, lines, files, message) => {
      expect(login(lines, files).problems).toEqual([expect.stringContaining(message)]);
    },
  );

  it('are content with a keytab that has the principal', () => {
    const lines = ['krb_principal = b1', 'keytab = /k'];

    const { auth, problems, warnings } = login(
      lines,
      { '/k': keytab(keytabEntry('R', 'b1')) },
      'http://hub/x',
    );

    expect(auth?.kind).toBe('kerberos');
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
  });

  it('leave alone what is not used', () => {
    const { problems } = login(
      ['user = b', 'password = p', 'serverca = /ca', 'keytab = /none'],
      {},
      'http://hub/x',
    );

    expect(problems).toEqual([]);
  });

  it('look at the CA for a certificate login even where the address says http, for kojid forces https', () => {
    const { problems } = login(['cert = /c', 'serverca = /ca'], { '/c': PEM }, 'http://hub/x');

    expect(problems).toEqual([expect.stringContaining('serverca: /ca is missing')]);
  });
});

describe('hubTlsOf', () => {
  it.each([
    [[], { verify: true }],
    [['no_ssl_verify = yes'], { verify: false }],
    [['no_ssl_verify = yes', 'serverca = /ca'], { verify: true, caPath: '/ca' }],
    [['serverca ='], { verify: true }],
  ])('with %j', (lines, tls) => {
    expect(login(['user = b', 'password = p', ...lines], { '/ca': PEM }).tls).toEqual(tls);
  });
});
