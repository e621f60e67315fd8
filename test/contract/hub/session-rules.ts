import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { HubClient } from '../../../src/devhub/client.ts';
import { encodeCall } from '../../../src/hub/xmlrpc/codec.ts';
import { decodeResponse } from '../../../src/hub/xmlrpc/decode.ts';
import { accounts, expectFault, since, target, type UseFixture } from './fixture.ts';

const SessionInfo = z.looseObject({ master: z.int().nullable(), exclusive: z.boolean().nullable() });
const Login = z.object({ 'session-id': z.int(), 'session-key': z.string(), 'header-auth': z.boolean() });

/** The session of a client that has logged in. */
function sessionOf(client: HubClient) {
  if (client.session === undefined) throw new Error('the client is not logged in');
  return client.session;
}

/** Logging in, locks, subsessions, call numbers and renewal (`kojihub/auth.py`). */
export function describeSessionRules(use: UseFixture): void {
  describe('login', () => {
    it('refuses a wrong password and an unknown user alike', async () => {
      const client = new HubClient(use().hub.url);

      await expectFault(client.login(accounts.user.name, 'wrong'), 1002);
      await expectFault(client.login('contract-nobody', 'wrong'), 1002);
      await expectFault(client.login(accounts.user.name, ''), 1002);
    });

    it('gives id, key and the sign that headers are understood', async () => {
      const client = new HubClient(use().hub.url);

      const info = Login.parse(
        await client.call('login', [accounts.user.name, accounts.user.password], { opts: null }),
      );

      expect(info['header-auth']).toBe(true);
    });

    it('is refused inside a session', async () => {
      const client = await use().login(accounts.user);

      await expectFault(client.call('login', [accounts.user.name, accounts.user.password]), 1002);
    });

    it('gives a session that only its key opens', async () => {
      const client = await use().login(accounts.user);
      const stranger = new HubClient(use().hub.url, { ...sessionOf(client), key: 'wrong' });

      await expectFault(stranger.call('echo', ['x']), 1002);
    });

    it('accepts the session in the query string too', async () => {
      const { id, key } = sessionOf(await use().login(accounts.user));
      const url = `${use().hub.url}?session-id=${id}&session-key=${key}&callnum=0`;

      const response = await fetch(url, { method: 'POST', body: encodeCall('getLoggedInUser', []) });

      const user = z.looseObject({ name: z.string() }).parse(decodeResponse(await response.text()));
      expect(user.name).toBe(accounts.user.name);
    });

    it('is over after logout', async () => {
      const client = await use().login(accounts.user);
      const session = sessionOf(client);
      await client.logout();

      await expectFault(new HubClient(use().hub.url, session).call('echo', ['x']), 1002);
    });

    it('shows times as text beside seconds', async () => {
      const info = z
        .looseObject({ start_time: z.string(), start_ts: z.number() })
        .parse(await use().user.call('getSessionInfo'));

      expect(info.start_time).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00:00$/);
    });
  });

  describe('call numbers', () => {
    it(
      'refuses one that runs backwards, once a later call has written',
      since(use, 'head', async () => {
        const client = await use().login(accounts.user);
        await use().newBuildTask(client, 5);

        await expectFault(client.callNumbered(4, 'echo', ['x']), 1008);
      }),
    );

    it(
      'refuses to repeat a call that has written',
      since(use, 'head', async () => {
        const client = await use().login(accounts.user);
        await use().newBuildTask(client, 0);

        await expectFault(use().newBuildTask(client, 0), 1009);
      }),
    );

    it('answers a repeated call that has only read', async () => {
      const client = await use().login(accounts.user);
      await client.callNumbered(0, 'echo', ['x']);

      expect(await client.callNumbered(0, 'echo', ['x'])).toEqual(['x']);
    });

    it('forgets the number of a call that was refused', async () => {
      const client = await use().login(accounts.user);
      await expectFault(client.callNumbered(3, 'build', ['x', target, {}, -1]), 1004);

      expect(await client.callNumbered(2, 'echo', ['x'])).toEqual(['x']);
    });

    it(
      'lets calls that do no harm be repeated',
      since(use, 'head', async () => {
        const session = await use().builder.subsession();
        const update = () => session.callNumbered(0, 'host.updateHost', [0, false]);
        await update();

        expect(await update()).toBeNull();
        await expectFault(session.callNumbered(0, 'subsession'), 1009);
      }),
    );

    it('may leave gaps', async () => {
      const client = await use().login(accounts.user);
      await client.callNumbered(0, 'subsession');

      expect(await client.callNumbered(4000, 'echo', ['x'])).toEqual(['x']);
    });

    it('may be left out', async () => {
      const client = await use().login(accounts.user);
      await client.callNumbered(7, 'subsession');

      expect(await client.callNumbered(undefined, 'echo', ['x'])).toEqual(['x']);
    });

    it('counts for each subsession alone', async () => {
      const client = await use().login(accounts.user);
      await client.callNumbered(9, 'logoutChild', [0]);
      const child = await client.callNumbered(10, 'subsession').then((info) => Login.parse(info));

      const sub = new HubClient(use().hub.url, {
        id: child['session-id'],
        key: child['session-key'],
        callnum: 0,
      });
      expect(await sub.call('echo', ['x'])).toEqual(['x']);
    });
  });

  describe('subsession', () => {
    it('belongs to the main session, also when a subsession asks', async () => {
      const main = await use().login(accounts.user);
      const child = await main.subsession();
      const grandchild = await child.subsession();

      const info = SessionInfo.parse(await grandchild.call('getSessionInfo'));

      expect(info.master).toBe(sessionOf(main).id);
    });

    it('shares the lock of its master and cannot take it', async () => {
      const child = await use().builder.subsession();

      expect(await child.call('host.getID')).toBe(await use().builder.call('host.getID'));
      await expectFault(child.call('exclusiveSession'), 1000);
    });

    it('ends with its master', async () => {
      const main = await use().login(accounts.user);
      const child = await main.subsession();
      await main.logout();

      await expectFault(child.call('echo', ['x']), 1002);
    });

    it('is closed by logoutChild, which never complains', async () => {
      const main = await use().login(accounts.user);
      const child = await main.subsession();
      const { id } = sessionOf(child);

      expect(await main.call('logoutChild', [id])).toBeNull();
      expect(await main.call('logoutChild', [id])).toBeNull();
      await expectFault(child.call('echo', ['x']), 1002);
    });

    it('is left alone by the logoutChild of another session', async () => {
      const child = await (await use().login(accounts.user)).subsession();
      const stranger = await use().login(accounts.user);

      await stranger.call('logoutChild', [sessionOf(child).id]);

      expect(await child.call('echo', ['x'])).toEqual(['x']);
    });

    it('needs a session to belong to', async () => {
      await expectFault(new HubClient(use().hub.url).call('subsession'), 1002);
    });
  });

  describe('logout of another session', () => {
    it('is for its owner', async () => {
      const mine = await use().login(accounts.user);
      const second = await use().login(accounts.user);

      await second.call('logout', [], { session_id: sessionOf(mine).id });

      await expectFault(mine.call('echo', ['x']), 1002);
    });

    it('is refused to others', async () => {
      const theirs = await use().login(accounts.spare);

      await expectFault(use().user.call('logout', [], { session_id: sessionOf(theirs).id }), 1000);
    });
  });

  describe('exclusive session', () => {
    it('is needed for host calls', async () => {
      const client = await use().login(accounts.spare);

      await expectFault(client.call('host.getID'), 1002);
    });

    it('makes no host of a user', async () => {
      const client = await use().login(accounts.user);
      await client.call('exclusiveSession', [], { force: true });

      await expectFault(client.call('host.getID'), 1002);
      await client.logout();
    });

    it('is no use without a session', async () => {
      await expectFault(new HubClient(use().hub.url).call('host.getID'), 1002);
    });

    it('belongs to one session, which takes it once', async () => {
      const first = await use().login(accounts.spare);
      const second = await use().login(accounts.spare);
      await first.call('exclusiveSession', [], { force: true });

      await expectFault(second.call('exclusiveSession', [], { force: false }), 1006);
      await expectFault(first.call('exclusiveSession'), 1000);
      await first.logout();
    });

    it('keeps the other sessions of its user from everything but leaving', async () => {
      const holder = await use().login(accounts.spare);
      const second = await use().login(accounts.spare);
      await holder.call('exclusiveSession', [], { force: true });

      await expectFault(second.call('echo', ['x']), 1006);
      expect(await second.call('logout')).toBeNull();
      await holder.logout();
    });

    it('taken by force closes the old one, and not its subsessions', async () => {
      const old = await use().login(accounts.spare);
      await old.call('exclusiveSession', [], { force: true });
      const child = await old.subsession();
      const taker = await use().login(accounts.spare);

      await taker.call('exclusiveSession', [], { force: true });

      await expectFault(old.call('host.getID'), 1002);
      await expectFault(child.call('host.getID'), 1006);
      expect(SessionInfo.parse(await taker.call('getSessionInfo')).exclusive).toBe(true);
      await taker.logout();
    });
  });

  describe('expired session', () => {
    it('is refused everything but a renewal', async () => {
      const client = await use().login(accounts.user);
      await use().hub.ageSession(sessionOf(client).id);

      await expectFault(client.call('echo', ['x']), 1007);
    });

    it(
      'is renewed under its id, with a new key and its call numbers',
      since(use, 'head', async () => {
        const client = await use().login(accounts.user);
        await client.callNumbered(20, 'logoutChild', [0]);
        const { id, key } = sessionOf(client);
        await use().hub.ageSession(id);

        const { name, password } = accounts.user;
        const info = Login.parse(
          await client.callNumbered(21, 'login', [name, password], {
            opts: null,
            renew: true,
            exclusive: false,
          }),
        );

        const renewed = new HubClient(use().hub.url, { id, key: info['session-key'], callnum: 0 });
        expect(info['session-id']).toBe(id);
        expect(info['session-key']).not.toBe(key);
        expect(await renewed.callNumbered(22, 'echo', ['x'])).toEqual(['x']);
        await expectFault(renewed.callNumbered(3, 'echo', ['x']), 1008);
        await expectFault(new HubClient(use().hub.url, { id, key, callnum: 30 }).call('echo'), 1002);
      }),
    );

    it('takes the sessions below it along', async () => {
      const client = await use().login(accounts.user);
      const child = await client.subsession();
      await use().hub.ageSession(sessionOf(client).id);
      await expectFault(client.call('echo', ['x']), 1007);

      await expectFault(child.call('echo', ['x']), 1007);
    });

    it('cannot be renewed below a master that is closed', async () => {
      const client = await use().login(accounts.user);
      const child = await client.subsession();
      await use().hub.ageSession(sessionOf(child).id);
      await expectFault(child.call('echo', ['x']), 1007);
      await client.logout();

      const { name, password } = accounts.user;
      await expectFault(child.call('login', [name, password], { renew: true }), 1002);
    });

    it('keeps its lock through a renewal', async () => {
      const client = await use().login(accounts.spare);
      await client.call('exclusiveSession', [], { force: true });
      const { id } = sessionOf(client);
      await use().hub.ageSession(id);

      const { name, password } = accounts.spare;
      const info = Login.parse(
        await client.call('login', [name, password], { opts: null, renew: true, exclusive: true }),
      );

      const renewed = new HubClient(use().hub.url, { id, key: info['session-key'], callnum: 10 });
      expect(await renewed.call('host.getID')).toEqual(expect.any(Number));
      await renewed.logout();
    });
  });
}
