import { withKeywords } from '../xmlrpc/codec.ts';
import type { HubAuth } from './auth.ts';

/**
 * Login by client certificate (`ClientSession.ssl_login`): the web server checks the certificate that the
 * transport presents on `/ssllogin` and tells the hub whose it is. The transport must be `secure`.
 */
export function certificateAuth(): HubAuth {
  return {
    description: 'client certificate',
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
