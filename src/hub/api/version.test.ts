import { describe, expect, it } from 'vitest';
import { ScriptedSession } from '../../../test/support/scripted-session.ts';
import { isAtLeast, VersionApi } from './version.ts';

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

  it.each([
    ['1.33.2', [false, false, false]],
    ['1.34.0', [true, false, true]],
    ['1.34.1', [true, true, true]],
    ['2.0', [true, true, true]],
  ])(
    'knows whether a hub of version %s assigns tasks, takes host data and has drafts',
    async (version, expected) => {
      const session = new ScriptedSession();
      session.hubVersion = version;
      const api = new VersionApi(session);

      expect([await api.assignsTasks(), await api.takesHostData(), await api.hasDrafts()]).toEqual(expected);
    },
  );

  it('refuses hubs that are older than any it was tried with', async () => {
    const session = new ScriptedSession();
    session.hubVersion = '1.33.0';
    expect(await new VersionApi(session).requireSupported()).toBe('1.33.0');

    session.hubVersion = '1.32.1';
    await expect(new VersionApi(session).requireSupported()).rejects.toMatchObject({
      code: 'hub-too-old',
      message: "the hub's version is 1.32.1; this builder needs 1.33 or newer",
    });
  });

  it.each([
    ['1.35.3', [1, 35, 3], true],
    ['1.35.2', [1, 35, 3], false],
    ['1.36.0dev', [1, 36], true],
    ['1.34', [1, 34, 1], false],
    ['unknown', [1, 33], false],
  ])('compares %s with %j', (version, least, expected) => {
    expect(isAtLeast(version, ...least)).toBe(expected);
  });
});
