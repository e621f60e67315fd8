import { X509Certificate } from 'node:crypto';
import { authOf, hubTlsOf } from './config/auth.ts';
import type { Config } from './config/schema.ts';
import type { HubAuth } from './hub/auth/auth.ts';
import { createAuth } from './hub/auth/create-auth.ts';
import type { SessionOptions } from './hub/session.ts';
import { loadTls } from './hub/tls.ts';
import { createTransport, type HubTransport } from './hub/transport.ts';

/** What a session with the hub is opened with. */
export interface HubConnection {
  readonly transport: HubTransport;
  readonly auth: HubAuth;
  readonly session: SessionOptions;
  /** Whom the hub will see: the user of the password, or the certificate's common name. */
  readonly expectedUser: string | null;
}

/** koji's `timeout` when nobody sets it: twelve hours. */
const defaultTimeoutSeconds = 12 * 3600;

/**
 * The way to the hub that the configuration describes; nothing is sent yet. Rejects with BuilderError
 * `tls-config` or `auth-config` when a certificate cannot be used or there is no way to log in.
 */
export async function hubConnection(config: Config): Promise<HubConnection> {
  const { kojid } = config;
  const choice = authOf(config);
  const tls = await loadTls({ ...hubTlsOf(config), ...(choice.kind === 'certificate' ? choice : {}) });
  const transport = createTransport({
    server: kojid.server,
    secure: choice.kind === 'certificate',
    tls,
    timeoutMs: (kojid.timeout ?? defaultTimeoutSeconds) * 1000,
  });
  const session = {
    maxRetries: kojid.max_retries,
    retryIntervalMs: kojid.retry_interval * 1000,
    offlineRetry: kojid.offline_retry,
    offlineRetryIntervalMs: kojid.offline_retry_interval * 1000,
    fastUpload: kojid.use_fast_upload,
  };
  const auth = createAuth(choice);
  const expectedUser = choice.kind === 'password' ? choice.user : commonName(tls.clientPem);
  return { transport, auth, session, expectedUser };
}

function commonName(pem: string | null): string | null {
  if (pem === null) return null;
  return /^CN=(.+)$/m.exec(new X509Certificate(pem).subject)?.[1] ?? null;
}
