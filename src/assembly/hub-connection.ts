import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { authOf, hubTlsOf, principalOf } from '../config/auth.ts';
import { keytabProblem } from '../config/checks/keytab.ts';
import type { Config } from '../config/schema.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import { readProxies } from '../core/host-proxies.ts';
import type { HubAuth } from '../hub/auth/auth.ts';
import { createAuth } from '../hub/auth/create-auth.ts';
import { negotiateTransport } from '../hub/auth/negotiate-transport.ts';
import type { SessionOptions } from '../hub/session/session.ts';
import { loadTls } from '../hub/transport/tls.ts';
import { createTransport, type HubTransport } from '../hub/transport/transport.ts';
import { fullHostName } from './build-host-name.ts';

/** What a session with the hub is opened with. */
export interface HubConnection {
  readonly transport: HubTransport;
  readonly auth: HubAuth;
  readonly session: SessionOptions;
  /** Whom the hub will see: the user of the password, or the certificate's common name; null for Kerberos. */
  readonly expectedUser: string | null;
}

/** koji's `timeout` when nobody sets it: twelve hours. */
const defaultTimeoutSeconds = 12 * 3600;

/**
 * The way to the hub that the configuration describes; nothing is sent yet. Rejects with BuilderError
 * `tls-config`, `auth-config` or `proxy-config` when a certificate, keytab or proxy cannot be used or there is no way to log in.
 */
export async function hubConnection(
  config: Config,
  env: NodeJS.ProcessEnv = process.env,
): Promise<HubConnection> {
  const { kojid } = config;
  const choice = authOf(config);
  const hubTls = hubTlsOf(config);
  const tls = await loadTls({ ...hubTls, ...(choice.kind === 'certificate' ? choice : {}) });
  const proxies = readProxies(env);
  const bare = createTransport({
    server: kojid.server,
    // As kojid does: only passwords go where the address says http.
    secure: choice.kind !== 'password',
    tls,
    proxies,
    timeoutMs: (kojid.timeout ?? defaultTimeoutSeconds) * 1000,
  });
  const session = {
    maxRetries: kojid.max_retries,
    retryIntervalMs: kojid.retry_interval * 1000,
    offlineRetry: kojid.offline_retry,
    offlineRetryIntervalMs: kojid.offline_retry_interval * 1000,
    fastUpload: kojid.use_fast_upload,
  };
  if (choice.kind === 'kerberos') {
    const principal = principalOf(choice, await fullHostName());
    await checkKeytab(choice.keytabPath, principal);
    const transport = negotiateTransport(bare, { ...choice, ...hubTls, principal, proxies });
    // The hub maps principals to users as it likes.
    return { transport, auth: createAuth({ kind: 'kerberos', principal }), session, expectedUser: null };
  }
  const expectedUser = choice.kind === 'password' ? choice.user : commonName(tls.clientPem);
  return { transport: bare, auth: createAuth(choice), session, expectedUser };
}

/** The configuration was checked without the host's full name, which takes a name service. */
async function checkKeytab(path: string, principal: string | null): Promise<void> {
  if (path === '') return;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new BuilderError(
      'auth-config',
      'builder',
      `cannot read ${path} (option "keytab"): ${describeError(error)}`,
      {
        cause: error,
      },
    );
  }
  const problem = keytabProblem(bytes, principal);
  if (problem !== null)
    throw new BuilderError('auth-config', 'builder', `${path} (option "keytab") ${problem}`);
}

function commonName(pem: string | null): string | null {
  if (pem === null) return null;
  return /^CN=(.+)$/m.exec(new X509Certificate(pem).subject)?.[1] ?? null;
}
