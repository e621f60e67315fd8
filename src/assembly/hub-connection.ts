import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { authOf, hubTlsOf, principalOf } from '../config/auth.ts';
import { keytabProblem } from '../config/checks/keytab.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import { readProxies } from '../core/host-proxies.ts';
import type { Logger } from '../core/logger.ts';
import type { Meter } from '../core/meter.ts';
import { hubApis } from '../hub/api/apis.ts';
import type { HubAuth } from '../hub/auth/auth.ts';
import { createAuth } from '../hub/auth/create-auth.ts';
import { negotiateTransport } from '../hub/auth/negotiate-transport.ts';
import { SessionLost } from '../hub/faults.ts';
import { AnonymousSession } from '../hub/session/anonymous-session.ts';
import { openSession, resumeSession } from '../hub/session/open-session.ts';
import type { RetrySettings } from '../hub/session/retry.ts';
import type { HubSession, SessionOptions } from '../hub/session/session.ts';
import { loggedTransport } from '../hub/transport/logged-transport.ts';
import { meteredTransport } from '../hub/transport/metered-transport.ts';
import { loadTls } from '../hub/transport/tls.ts';
import { createTransport, type HubTransport } from '../hub/transport/transport.ts';
import { SessionFiles } from '../journal/session-files.ts';
import { fullHostName } from './build-host-name.ts';

/** What a session with the hub is opened with. */
export interface HubConnection {
  readonly transport: HubTransport;
  readonly auth: HubAuth;
  readonly session: SessionOptions;
  /** Whom the hub will see: the user of the password, or the certificate's common name; null for Kerberos. */
  readonly expectedUser: string | null;
}

/** koji's `timeout` when it is not set: twelve hours. */
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

/**
 * The main session of the host: resumes that of a previous run, or logs in as the configuration says. Throws before anything is sent when
 * a certificate cannot be used.
 */
export async function openHostSession(
  { debugXmlrpc }: { readonly debugXmlrpc: boolean },
  config: Config,
  clock: Clock,
  meter: Meter,
  log: Logger,
  signal: AbortSignal,
): Promise<{ readonly session: HubSession; readonly sessions: SessionFiles }> {
  const { transport: bare, auth, session: retries, expectedUser } = await hubConnection(config);
  const metered = meteredTransport(bare, meter, clock);
  const transport = debugXmlrpc ? loggedTransport(metered, log.child({}, { level: 'debug' })) : metered;
  const { state_dir: workDir } = config.adjutant;
  const whose = `${config.kojid.server} ${auth.description} ${expectedUser ?? ''}`;
  const sessions = new SessionFiles(join(workDir, 'journal', 'sessions'), whose);
  const options = { ...retries, journal: sessions };
  const [kept] = await sessions.list();
  if (kept !== undefined && kept.master === null) {
    const session = resumeSession(kept, options, auth, clock, transport, log);
    try {
      await hubApis(session, clock).host.host(signal);
      log.info({ sessionId: kept.id }, 'resuming the hub session of the previous run');
      return { session, sessions };
    } catch (error) {
      if (!(error instanceof SessionLost)) throw error;
      log.info({ reason: describeError(error) }, 'the hub session of the previous run has ended, logging in');
    }
  }
  await sessions.clear();
  return { session: await openSession(options, auth, clock, transport, log, signal), sessions };
}

/** A session that logs in nowhere and may call these methods only. */
export async function anonymousSession(
  config: Config,
  { timeoutMs, ...retries }: Omit<RetrySettings, 'transport'> & { readonly timeoutMs: number },
  methods: ReadonlySet<string>,
): Promise<AnonymousSession> {
  const transport = createTransport({
    server: config.kojid.server,
    secure: false,
    timeoutMs,
    tls: await loadTls(hubTlsOf(config)),
    proxies: readProxies(process.env),
  });
  return new AnonymousSession({ ...retries, transport }, methods);
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
