import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Foreground } from './foreground.ts';

const run = promisify(execFile);
const realmName = 'ADJUTANT.TEST';
/** Where ordinary users do not look. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/** What is not on this machine of what a realm needs, or null. */
export function missingForRealm(): string | null {
  const commands = ['krb5kdc', 'kdb5_util', 'kadmin.local'].filter(
    (name) => spawnSync(name, ['-?'], { env: { PATH } }).error,
  );
  return commands.length === 0 ? null : `there is no ${commands.join(', no ')}`;
}

/** A Kerberos realm of its own on the loopback interface, with a real KDC. All it has lies in one directory. */
export class KerberosRealm implements AsyncDisposable {
  readonly name = realmName;
  /** For `KRB5_CONFIG`. */
  readonly configPath: string;
  readonly #directory: string;
  readonly #env: Readonly<Record<string, string | undefined>>;
  #kdc: Foreground | null = null;

  private constructor(directory: string) {
    this.#directory = directory;
    this.configPath = join(directory, 'krb5.conf');
    this.#env = {
      PATH,
      KRB5_CONFIG: this.configPath,
      KRB5_KDC_PROFILE: join(directory, 'kdc.conf'),
    };
  }

  /** Makes the realm in an empty directory and starts its KDC. */
  static async start(directory: string): Promise<KerberosRealm> {
    const realm = new KerberosRealm(directory);
    const port = await freePort();
    await mkdir(directory, { recursive: true });
    await writeFile(
      realm.configPath,
      `[libdefaults]
default_realm = ${realmName}
dns_lookup_kdc = false
dns_canonicalize_hostname = false
rdns = false
[realms]
${realmName} = {
kdc = 127.0.0.1:${port}
}
[domain_realm]
localhost = ${realmName}
[logging]
kdc = STDERR
`,
    );
    await writeFile(
      join(directory, 'kdc.conf'),
      `[kdcdefaults]
kdc_listen = 127.0.0.1:${port}
kdc_tcp_listen = 127.0.0.1:${port}
[realms]
${realmName} = {
database_name = ${directory}/principal
key_stash_file = ${directory}/stash
acl_file = ${directory}/acl
}
`,
    );
    await run('kdb5_util', ['create', '-s', '-P', 'master', '-r', realmName], { env: realm.#env });
    await realm.resume();
    return realm;
  }

  async addPrincipal(principal: string): Promise<void> {
    await this.#admin(`addprinc -randkey ${principal}`);
  }

  async deletePrincipal(principal: string): Promise<void> {
    await this.#admin(`delprinc -force ${principal}`);
  }

  /** Gives a principal a new key, and adds that to a keytab. */
  async newKey(principal: string, keytabPath: string): Promise<void> {
    await this.#admin(`ktadd -k ${keytabPath} ${principal}`);
  }

  /** The KDC goes away; what is known stays. */
  async pause(): Promise<void> {
    await this.#kdc?.[Symbol.asyncDispose]();
  }

  async resume(): Promise<void> {
    this.#kdc = await Foreground.start('krb5kdc', ['-n'], /commencing operation/, this.#env);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pause();
  }

  async #admin(query: string): Promise<void> {
    await run('kadmin.local', ['-r', realmName, '-q', query], { env: this.#env, cwd: this.#directory });
  }
}

/** A port of the loopback interface that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A listening TCP server has this kind of address.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
