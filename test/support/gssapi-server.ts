import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Foreground } from './foreground.ts';
import { freePort } from './kerberos-realm.ts';

const run = promisify(execFile);
/** Debian's places. */
const modules = '/usr/lib/apache2/modules';
const command = '/usr/sbin/apache2';

/** What is not on this machine of what the server needs, or null. */
export function missingForServer(): string | null {
  if (!existsSync(command)) return 'there is no Apache';
  if (!existsSync(join(modules, 'mod_auth_gssapi.so'))) return 'Apache has no mod_auth_gssapi';
  return spawnSync('openssl', ['version']).status === 0 ? null : 'there is no openssl';
}

/** A place of the server, and who is let in at its `/ssllogin`: those with a ticket for this keytab, or everybody. */
export type Door = { readonly keytabPath: string } | 'open' | 'basic';

/** Apache with TLS and mod_auth_gssapi before a hub, which it tells who somebody is in `X-Remote-User`. */
export class GssapiServer implements AsyncDisposable {
  /** `https://localhost:PORT`; the doors lie below it by their names, each a hub's address. */
  readonly url: string;
  /** The server's certificate, which is its own authority. */
  readonly caPath: string;
  readonly #server: Foreground;

  private constructor(url: string, caPath: string, server: Foreground) {
    this.url = url;
    this.caPath = caPath;
    this.#server = server;
  }

  static async start(
    directory: string,
    hubUrl: string,
    doors: Readonly<Record<string, Door>>,
  ): Promise<GssapiServer> {
    await mkdir(directory, { recursive: true });
    const port = await freePort();
    const certificate = join(directory, 'certificate.pem');
    const key = join(directory, 'key.pem');
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    await run('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', certificate]);
    const configuration = [
      ...[`ServerRoot "${directory}"`, `DefaultRuntimeDir "${directory}"`, `PidFile "${directory}/pid"`],
      ...[`Listen 127.0.0.1:${port}`, 'ServerName localhost', 'ErrorLog "|/bin/cat"'],
      ...moduleNames.map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`),
      ...(process.getuid?.() === 0 ? ['User www-data', 'Group www-data'] : []),
      ...['SSLEngine on', `SSLCertificateFile "${certificate}"`, `SSLCertificateKeyFile "${key}"`],
      ...Object.entries(doors).flatMap(([name, door]) => [
        `ProxyPass "/${name}" "${hubUrl}"`,
        `<Location "/${name}/ssllogin">`,
        ...rules[door === 'open' || door === 'basic' ? door : 'ticket'],
        ...(typeof door === 'string' ? [] : [`GssapiCredStore keytab:${door.keytabPath}`]),
        '</Location>',
      ]),
    ];
    const path = join(directory, 'httpd.conf');
    await writeFile(path, `${configuration.join('\n')}\n`);
    const server = await Foreground.start(
      command,
      ['-DFOREGROUND', '-f', path],
      /resuming normal operations/,
    );
    return new GssapiServer(`https://localhost:${port}`, certificate, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

const moduleNames = [
  ...['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'auth_basic', 'auth_gssapi', 'headers'],
  ...['proxy', 'proxy_http', 'socache_shmcb', 'ssl'],
];

const rules = {
  open: [],
  basic: ['AuthType Basic', 'AuthName hub', 'Require valid-user'],
  ticket: [
    ...['AuthType GSSAPI', 'AuthName hub', 'Require valid-user'],
    'RequestHeader set X-Remote-User "expr=%{REMOTE_USER}"',
  ],
} as const;
