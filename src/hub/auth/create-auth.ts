import { BuilderError } from '../../core/errors.ts';
import type { HubAuth } from './auth.ts';
import { certificateAuth } from './certificate.ts';
import { kerberosAuth } from './kerberos.ts';
import { passwordAuth } from './password.ts';

/** The way to log in that the configuration chose. */
export type AuthChoice =
  | { readonly kind: 'certificate' }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'kerberos'; readonly principal: string | null };

/** Throws BuilderError `auth-config` for what cannot work: no password. */
export function createAuth(choice: AuthChoice): HubAuth {
  switch (choice.kind) {
    case 'certificate':
      return certificateAuth();
    case 'password':
      if (choice.password === '')
        throw new BuilderError(
          'auth-config',
          'builder',
          `option "password" is missing for user ${choice.user}`,
        );
      return passwordAuth(choice.user, choice.password);
    case 'kerberos':
      return kerberosAuth(choice.principal);
  }
}
