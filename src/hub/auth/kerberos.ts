import { withKeywords } from '../xmlrpc/codec.ts';
import type { HubAuth } from './auth.ts';

/**
 * Login by Kerberos (`ClientSession.gssapi_login`): the web server asks for a ticket on `/ssllogin` and tells
 * the hub whose it is. The transport must know how to show one (`negotiateTransport`). `principal` null: the one
 * that the keytab or the credential cache is for.
 */
export function kerberosAuth(principal: string | null): HubAuth {
  return {
    description: principal === null ? 'Kerberos login' : `Kerberos login of ${principal}`,
    path: '/ssllogin',
    loginCall: (renew) => ({
      method: 'sslLogin',
      params: withKeywords([], {
        proxyuser: null,
        ...(renew && { renew: true, exclusive: renew.exclusive }),
      }),
    }),
  };
}
