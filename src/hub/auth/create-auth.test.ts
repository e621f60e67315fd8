import { describe, expect, it } from 'vitest';
import { createAuth } from './create-auth.ts';

describe('createAuth', () => {
  it('makes the login the configuration chose', () => {
    expect(createAuth({ kind: 'certificate' }).loginCall().method).toBe('sslLogin');
    expect(createAuth({ kind: 'password', user: 'kojibuilder', password: 'x' }).loginCall().method).toBe(
      'login',
    );
  });

  it('logs in by Kerberos at the door for it, and renews there', () => {
    const auth = createAuth({ kind: 'kerberos', principal: 'compile/b1@R' });

    expect(auth).toMatchObject({ path: '/ssllogin', description: 'Kerberos login of compile/b1@R' });
    expect(auth.loginCall()).toEqual({
      method: 'sslLogin',
      params: [{ __starstar: true, proxyuser: null }],
    });
    expect(auth.loginCall({ exclusive: true }).params).toEqual([
      { __starstar: true, proxyuser: null, renew: true, exclusive: true },
    ]);
    expect(createAuth({ kind: 'kerberos', principal: null }).description).toBe('Kerberos login');
  });

  it('keeps the password out of the description', () => {
    const auth = createAuth({ kind: 'password', user: 'kojibuilder', password: 'hush' });

    expect(auth.description).toBe('password of user kojibuilder');
  });

  it('refuses what cannot work', () => {
    expect(() => createAuth({ kind: 'password', user: 'kojibuilder', password: '' })).toThrow(
      /option "password"/,
    );
  });
});
