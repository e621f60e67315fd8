import type { RpcCall } from '../xmlrpc/codec.ts';

/**
 * A way to prove who the builder is. It only forms the call; the session sends it, at the start and
 * again whenever the hub lets the session expire.
 */
export interface HubAuth {
  /** For logs and messages, without any secret: `password of user kojibuilder`. */
  readonly description: string;
  /** Where below the hub's address the login call goes: the certificate form has its own path. */
  readonly path: '' | '/ssllogin';
  /**
   * The login call. `renew` is given when an expired session is revived; `exclusive` says whether it held
   * the host's exclusive lock.
   */
  loginCall(renew?: { readonly exclusive: boolean }): RpcCall;
}
