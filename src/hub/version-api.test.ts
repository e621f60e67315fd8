import { describe, expect, it } from 'vitest';
import { ScriptedSession } from '../../test/support/scripted-session.ts';
import { VersionApi } from './version-api.ts';

describe('VersionApi', () => {
  it('takes the version from the answers of hubs that tell', async () => {
    const session = new ScriptedSession();

    expect(await new VersionApi(session).version()).toBe('1.35.3');

    expect(session.methods).toEqual([]);
  });

  it('asks other hubs once', async () => {
    const session = new ScriptedSession().on('getKojiVersion', '1.34.3');
    session.hubVersion = null;
    const version = new VersionApi(session);

    expect([await version.version(), await version.version()]).toEqual(['1.34.3', '1.34.3']);

    expect(session.methods).toEqual(['getKojiVersion']);
  });

  it.each([
    ['1.33.2', false],
    ['1.34.3', false],
    ['1.35.0', true],
    ['1.36.0.post1', true],
    ['2.0', true],
  ])('knows whether a hub of version %s has requests for repos: %s', async (version, expected) => {
    const session = new ScriptedSession();
    session.hubVersion = version;

    expect(await new VersionApi(session).hasRepoRequests()).toBe(expected);
  });
});
