import { withKeywords } from '../xmlrpc/codec.ts';
import type { HubAuth } from './auth.ts';

/** Login by user name and password (`ClientSession.login`). The hub compares against its `users` table. */
export function passwordAuth(user: string, password: string): HubAuth {
  return {
    description: `password of user ${user}`,
    path: '',
    loginCall: (renew) => ({
      method: 'login',
      params: withKeywords([user, password], {
        opts: null,
        ...(renew && { renew: true, exclusive: renew.exclusive }),
      }),
    }),
  };
}
