import { HubTransportError, type TransportReason } from '../faults.ts';
import { answerOf, type HubAnswer, statusError } from '../transport/transport.ts';

/** How a run of `curl --negotiate --verbose` ended. */
export interface CurlResult {
  readonly exitCode: number;
  /** The body of the answer. */
  readonly stdout: Buffer;
  /** curl's account of what it did. It has tickets in it and is never shown as a whole. */
  readonly stderr: string;
}

/** Whose ticket it is to be, for messages. */
export interface KerberosNames {
  /** Null: the one that the keytab or the credential cache is for. */
  readonly principal: string | null;
  readonly keytabPath: string;
  readonly ccachePath: string;
}

/**
 * What the hub has answered through curl, or why there is no answer: reason `login` where an operator has to fix
 * the configuration of Kerberos here or at the hub, `unreachable` where no KDC answers. `url` is for messages.
 */
export function judgeCurl(
  { exitCode, stdout, stderr }: CurlResult,
  url: string,
  names: KerberosNames,
): HubAnswer | HubTransportError {
  const lines = stderr.split(/\r?\n/);
  const status = lastStatus(lines);
  if (exitCode !== 0 || status === null) return curlError(exitCode, lines, url);
  const headers = lastHeaders(lines);
  const offered = /^negotiate\b/im.test(headers.get('www-authenticate') ?? '');
  if (status.code === 401) return offered ? noTicketTaken(lines, url, names) : notOffered(url);
  if (status.code !== 200)
    return statusError({
      status: status.code,
      text: status.text,
      location: headers.get('location'),
      body: stdout,
      url,
    });
  // The web server has let the request through without a user.
  if (!offered && stdout.includes('<fault>')) return notOffered(url);
  return answerOf(stdout, headers.get('koji-version'), headers.get('date'));
}

interface Status {
  readonly code: number;
  readonly text: string;
}

function lastStatus(lines: readonly string[]): Status | null {
  const line = lines.findLast((text) => text.startsWith('< HTTP/'));
  const [, code, text = ''] = /^< HTTP\/[\d.]+ (\d{3}) ?(.*)$/.exec(line ?? '') ?? [];
  return code === undefined ? null : { code: Number(code), text: text.trim() };
}

/** Of a header that came more than once all values, a line each. */
function lastHeaders(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines.slice(lines.findLastIndex((text) => text.startsWith('< HTTP/')))) {
    const [, name, value = ''] = /^< ([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const known = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), known === undefined ? value : `${known}\n${value}`);
  }
  return headers;
}

/** What the GSS-API said, without its general half. */
function gssProblem(lines: readonly string[]): string | null {
  const line = lines.find((text) => text.startsWith(gssFailure));
  const said = line?.slice(gssFailure.length).trim() ?? null;
  return said?.replace(/^No credentials were supplied, or .* inaccessible\. /, '').replace(/\.$/, '') ?? null;
}

const gssFailure = '* gss_init_sec_context() failed: ';

function notOffered(url: string): HubTransportError {
  return new HubTransportError(
    'login',
    `the web server of ${url} does not ask for a Kerberos ticket there (no WWW-Authenticate: Negotiate); ` +
      'let the administrator of the hub set AuthType GSSAPI for this place, or log in by cert or password',
  );
}

/** What the GSS-API says, and what to do about it. */
const remedies: readonly (readonly [RegExp, TransportReason, (names: KerberosNames) => string])[] = [
  [
    /KDC for realm|Cannot resolve network address for KDC/,
    'unreachable',
    () => 'check krb5.conf, the network and the KDC',
  ],
  [
    /^Client .* not found in Kerberos database/,
    'login',
    () => 'the KDC has no such principal; correct krb_principal or host_principal_format, or let it be made',
  ],
  [
    /^Server .* not found in Kerberos database/,
    'login',
    () => "the hub's web server has no principal of this name; correct the host's name in server",
  ],
  [
    /Decrypt integrity check failed|Preauthentication failed|Password incorrect/,
    'login',
    ({ keytabPath }) => `the key in ${keytabPath} is not the principal's present one; fetch the keytab again`,
  ],
  [
    /^Can't find client principal|suitable keys/,
    'login',
    ({ keytabPath }) =>
      `${keytabPath} has no key of it; correct keytab, krb_principal or host_principal_format`,
  ],
  [
    /does not match desired name/,
    'login',
    ({ ccachePath }) => `${ccachePath} has tickets of another user; remove it or set ccache to another path`,
  ],
  [
    /Failed to store credentials/,
    'login',
    ({ ccachePath }) =>
      `${ccachePath} cannot be written; correct ccache or let the daemon's user write there`,
  ],
  [/Clock skew/, 'login', () => 'let this host and the KDC follow the same time servers'],
  [
    /SPNEGO cannot find mechanisms|No Kerberos credentials available|No credentials cache found|Ticket expired/,
    'login',
    ({ keytabPath, ccachePath }) =>
      keytabPath === ''
        ? `${ccachePath} has no valid tickets, and keytab is empty; renew them or set keytab`
        : `${keytabPath} cannot be used; is it there, and may the daemon's user read it?`,
  ],
];

/** Without a ticket curl sends the request all the same, so what it says before the answer is about our side. */
function noTicketTaken(lines: readonly string[], url: string, names: KerberosNames): HubTransportError {
  const whom = names.principal === null ? 'Kerberos login' : `Kerberos login of ${names.principal}`;
  const answered = lines.findIndex((line) => line.startsWith('< HTTP/'));
  const here = gssProblem(lines.slice(0, answered));
  if (here === null) {
    const there = gssProblem(lines.slice(answered)) ?? 'HTTP status 401';
    return new HubTransportError(
      'login',
      `${whom}: the web server of ${url} does not take the ticket: ${there}; its administrator should look at its ` +
        'error log, at the key of its own HTTP/ principal, and at who is let in',
    );
  }
  const [, reason, remedy] = remedies.find(([pattern]) => pattern.test(here)) ?? [];
  const advice = remedy === undefined ? '' : `; ${remedy(names)}`;
  return new HubTransportError(reason ?? 'login', `${whom}: ${here}${advice}`);
}

const reasons: ReadonlyMap<number, TransportReason> = new Map([
  [5, 'unreachable'],
  [6, 'unreachable'],
  [7, 'unreachable'],
  [28, 'timeout'],
  [35, 'tls'],
  [51, 'tls'],
  [58, 'tls'],
  [60, 'tls'],
  [77, 'tls'],
  [94, 'login'],
]);

const advice: Partial<Readonly<Record<TransportReason, string>>> = {
  tls: ' (check option "serverca", and whether the hub\'s certificate is still valid)',
  unreachable: ' (check option "server", the network and the hub)',
};

function curlError(exitCode: number, lines: readonly string[], url: string): HubTransportError {
  const said = lines.findLast((line) => line.startsWith('curl: ')) ?? `curl ended with ${exitCode}`;
  if (exitCode === 2 && /negotiate/.test(said))
    return new HubTransportError(
      'login',
      `the curl of this host cannot log in by Kerberos; install one with GSS-API and SPNEGO (see "curl --version"): ${said}`,
    );
  const reason = reasons.get(exitCode) ?? 'dropped';
  return new HubTransportError(reason, `login at ${url}: ${said}${advice[reason] ?? ''}`);
}
