import { type ConfigFiles, hostFiles } from './format/file-system.ts';
import type { Config, KojidValues } from './schema.ts';

/** How the daemon logs in to the hub. */
export type Auth =
  | {
      readonly kind: 'certificate';
      /** Certificate and key in one PEM file. */
      readonly certPath: string;
      /** CA of the hub's certificate; left out: the system's. */
      readonly caPath?: string;
    }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | {
      readonly kind: 'kerberos';
      /** Null: made from `principalFormat`, whose `%s` is the host's full name; empty: whichever the keytab has first. */
      readonly principal: string | null;
      readonly principalFormat: string;
      /** Empty: what is in the credential cache has to do. */
      readonly keytabPath: string;
      readonly ccachePath: string;
    };

/** What kojid uses for a key that is not set, where the file is there (`builder/kojid get_options`). */
export const certificateFallbacks: ReadonlyMap<string, string> = new Map([
  ['cert', '/etc/kojid/client.crt'],
  ['serverca', '/etc/kojid/serverca.crt'],
]);

/**
 * kojid's choice: the certificate if its file is there, else the password if there is a user, else
 * Kerberos (`builder/kojid`, main). An empty `cert =` switches the certificate off.
 */
export function authOf({ kojid }: { readonly kojid: KojidValues }, files: ConfigFiles = hostFiles): Auth {
  if (kojid.cert !== null && kojid.cert !== '' && files.kind(kojid.cert) === 'file') {
    const ca = kojid.serverca === null || kojid.serverca === '' ? {} : { caPath: kojid.serverca };
    return { kind: 'certificate', certPath: kojid.cert, ...ca };
  }
  if (kojid.user !== null && kojid.user !== '') {
    return { kind: 'password', user: kojid.user, password: kojid.password ?? '' };
  }
  return {
    kind: 'kerberos',
    principal: kojid.krb_principal,
    principalFormat: kojid.host_principal_format,
    keytabPath: kojid.keytab,
    ccachePath: kojid.ccache,
  };
}

/** Whom a login by Kerberos is for (`builder/kojid`, main); null: whichever principal the keytab has first. */
export function principalOf(auth: Auth & { readonly kind: 'kerberos' }, fullHostName: string): string | null {
  const made = () =>
    auth.principalFormat.replaceAll(/%[%s]/g, (found) => (found === '%s' ? fullHostName : '%'));
  return (auth.principal ?? made()) || null;
}

/** How the hub's certificate is checked: `serverca` wins over `no_ssl_verify` (`koji/__init__.py _sendOneCall`). */
export function hubTlsOf({ kojid }: Pick<Config, 'kojid'>): {
  readonly verify: boolean;
  readonly caPath?: string;
} {
  if (kojid.serverca !== null && kojid.serverca !== '') return { verify: true, caPath: kojid.serverca };
  return { verify: !kojid.no_ssl_verify };
}
