import { BuilderError } from '../../core/errors.ts';
import type { HubAuth } from './auth.ts';
import { certificateAuth } from './certificate.ts';
import { passwordAuth } from './password.ts';

/** What kojid.conf says about logging in; `null` for what is not set. */
export interface AuthOptions {
  readonly cert: string | null;
  readonly user: string | null;
  readonly password: string | null;
}

/**
 * Picks the way to log in by kojid's order: certificate, then user and password. kojid would go on to
 * Kerberos, which this builder does not have yet; that is refused here with BuilderError `auth-config`.
 * Unlike kojid, a certificate that is named but missing is an error (`loadTls`) and not a reason to try
 * the next way.
 */
export function chooseAuth(options: AuthOptions): HubAuth {
  if (options.cert !== null) return certificateAuth();
  if (options.user === null)
    throw new BuilderError(
      'auth-config',
      'builder',
      'no way to log in to the hub: Kerberos is not supported yet; set "cert" (and "serverca"), or "user" and "password"',
    );
  if (options.password === null || options.password === '')
    throw new BuilderError('auth-config', 'builder', `no "password" is set for user ${options.user}`);
  return passwordAuth(options.user, options.password);
}
