import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { describeError } from '../../core/errors.ts';
import type { Proxies } from '../../core/host-proxies.ts';
import { HubTransportError } from '../faults.ts';
import type { HubAnswer, HubRequest, HubTransport } from '../transport/transport.ts';
import { type CurlResult, judgeCurl, type KerberosNames } from './curl-verdict.ts';

/** How a login by Kerberos finds its ticket, and how the hub's certificate is checked. */
export interface KerberosLogin extends KerberosNames {
  /** kojid's `serverca`; left out: the system's authorities. */
  readonly caPath?: string;
  /** False for kojid's `no_ssl_verify`. */
  readonly verify: boolean;
  /** Left out: the hub is spoken to directly. */
  readonly proxies?: Proxies;
}

/** koji's `auth_timeout`: how long a login may take. */
const loginTimeoutMs = 60_000;

/** What of the daemon's environment says where Kerberos and certificates are on this host. */
const passedOn = ['PATH', 'KRB5_CONFIG', 'CURL_CA_BUNDLE', 'SSL_CERT_FILE', 'SSL_CERT_DIR'] as const;

/**
 * The transport, with a Kerberos ticket shown at `/ssllogin`: this one request is made by curl, which every
 * distribution links with its own Kerberos. All it is told goes through its standard input, so that neither
 * arguments nor files have a session key; tickets are got with the keytab and kept in the credential cache, and
 * both are named in its environment alone. Throws HubTransportError: see {@link judgeCurl}.
 */
export function negotiateTransport(transport: HubTransport, login: KerberosLogin): HubTransport {
  async function post(request: HubRequest, signal?: AbortSignal): Promise<HubAnswer> {
    if (request.path !== '/ssllogin') return transport.post(request, signal);
    signal?.throwIfAborted();
    const url = `${transport.url}${request.path}`;
    const home = await mkdtemp(join(tmpdir(), 'koji-adjutant-login-'));
    try {
      // This is how MIT Kerberos is told whose ticket to take; curl has no option for it.
      if (login.principal !== null) await writeFile(join(home, '.k5identity'), `${login.principal}\n`);
      await removeEmpty(login.ccachePath);
      const result = await runCurl(curlConfig(url, request, login), home, login, signal);
      const verdict = judgeCurl(result, url, login);
      if (verdict instanceof HubTransportError) throw verdict;
      return verdict;
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }
  return { url: transport.url, post, dropConnections: () => transport.dropConnections() };
}

/** As kojid does: an empty cache, as a crash leaves it, would keep Kerberos from making a good one. */
async function removeEmpty(ccachePath: string): Promise<void> {
  const found = await stat(ccachePath).catch(() => null);
  if (found?.isFile() === true && found.size === 0) await rm(ccachePath, { force: true });
}

/** The request as a configuration file for curl. */
export function curlConfig(
  url: string,
  { query, headers, body, timeoutMs = loginTimeoutMs }: HubRequest,
  { caPath, verify }: Pick<KerberosLogin, 'caPath' | 'verify'>,
): string {
  const settings: [string, string?][] = [
    ['silent'],
    ['show-error'],
    ['verbose'],
    ['http1.1'],
    ['user', ':'],
    ['user-agent', 'koji/1'],
    ['max-time', String(Math.ceil(timeoutMs / 1000))],
    ...Object.entries(headers).map(([name, value]): [string, string] => ['header', `${name}: ${value}`]),
    ['data-raw', Buffer.from(body).toString('utf8')],
    ['url', query === '' ? url : `${url}?${query}`],
  ];
  if (caPath !== undefined) settings.push(['cacert', caPath]);
  else if (!verify) settings.push(['insecure']);
  return settings
    .map(([name, value]) => `${name}${value === undefined ? '' : ` = ${quote(value)}`}\n`)
    .join('');
}

const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v' };

function quote(value: string): string {
  return `"${value.replace(/[\\"\n\r\t\v]/g, (found) => escapes[found] ?? `\\${found}`)}"`;
}

async function runCurl(
  config: string,
  home: string,
  { keytabPath, ccachePath, proxies = {} }: KerberosLogin,
  signal?: AbortSignal,
): Promise<CurlResult> {
  const kept = passedOn.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  const env = {
    ...Object.fromEntries(kept),
    ...proxies,
    // curl's messages are read.
    LC_ALL: 'C',
    HOME: home,
    ...(keytabPath !== '' && { KRB5_CLIENT_KTNAME: keytabPath }),
    ...(ccachePath !== '' && { KRB5CCNAME: ccachePath }),
  };
  const child = spawn('curl', ['--disable', '--negotiate', '--config', '-'], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(signal !== undefined && { signal }),
  });
  // It may end without having read all, and says itself why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(config);
  try {
    const [[exitCode], stdout, stderr] = await Promise.all([
      once(child, 'close'),
      buffer(child.stdout),
      text(child.stderr),
    ]);
    return { exitCode: Number(exitCode ?? -1), stdout, stderr };
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    throw new HubTransportError(
      'login',
      `login by Kerberos needs curl, which cannot be run: ${describeError(error)}; install it`,
      {
        cause: error,
      },
    );
  }
}
