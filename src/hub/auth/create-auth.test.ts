import { describe, expect, it } from 'vitest';
import { createAuth } from './create-auth.ts';

describe('createAuth', () => {
  it('makes the login the configuration chose', () => {
    expect(createAuth({ kind: 'certificate' }).loginCall().method).toBe('sslLogin');
    expect(createAuth({ kind: 'password', user: 'kojibuilder', password: 'x' }).loginCall().method).toBe(
      'login',
    );
  });

  it('keeps the password out of the description', () => {
    const auth = createAuth({ kind: 'password', user: 'kojibuilder', password: 'hush' });

    expect(auth.description).toBe('password of user kojibuilder');
  });

  it('refuses what cannot work', () => {
    expect(() => createAuth({ kind: 'kerberos' })).toThrow(
      /Kerberos is not supported yet; set option "cert"/,
    );
    expect(() => createAuth({ kind: 'password', user: 'kojibuilder', password: '' })).toThrow(
      /option "password"/,
    );
  });
});
