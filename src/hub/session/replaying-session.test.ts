import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { hubFault, ScriptedSession } from '../../../test/support/scripted-session.ts';
import { openTestHistory } from '../../../test/support/test-history.ts';
import { HubProtocolError } from '../faults.ts';
import { ReplayingSession } from './replaying-session.ts';

/** A session of each life of a task, with the same hub. */
async function openLives() {
  const hub = new ScriptedSession();
  const history = await openTestHistory();
  return {
    hub,
    first: new ReplayingSession(hub, history.first),
    next: async () => new ReplayingSession(hub, await history.next()),
  };
}

const Nothing = z.unknown();

describe('ReplayingSession', () => {
  it('makes a call that had its answer once, whatever life asks', async () => {
    const { hub, first, next } = await openLives();
    hub.on('host.newBuildRoot', 5, 6);

    expect(await first.call('host.newBuildRoot', [1, 'x86_64'], z.int())).toBe(5);
    const second = await next();
    expect(await second.call('host.newBuildRoot', [1, 'x86_64'], z.int())).toBe(5);
    expect(await (await next()).call('host.newBuildRoot', [1, 'x86_64'], z.int())).toBe(5);

    expect(hub.calls).toHaveLength(1);
  });

  it('remembers answers of nothing, large numbers, and faults', async () => {
    const { hub, first, next } = await openLives();
    hub
      .on('nothing', null)
      .on('large', 2n ** 60n)
      .on('bad', hubFault(1005, 'no'));
    const ask = async (session: ReplayingSession) => {
      await session.call('nothing', [], Nothing);
      expect(await session.call('large', [], z.bigint())).toBe(2n ** 60n);
      await expect(session.call('bad', [], Nothing)).rejects.toMatchObject({
        faultCode: 1005,
        faultString: 'no',
      });
    };

    await ask(first);
    await ask(await next());

    expect(hub.calls).toHaveLength(3);
  });

  it('tells calls apart by their parameters, and equal ones by their number', async () => {
    const { hub, first, next } = await openLives();
    hub.on('get', 1, 2, 3);
    const ask = async (session: ReplayingSession) => [
      await session.call('get', ['a'], z.int()),
      await session.call('get', ['b'], z.int()),
      await session.call('get', ['a'], z.int()),
    ];

    const answers = await ask(first);

    expect(answers).toEqual([1, 2, 3]);
    expect(await ask(await next())).toEqual(answers);
    expect(hub.calls).toHaveLength(3);
  });

  it('asks anew what is live', async () => {
    const { hub, first, next } = await openLives();
    hub.on('host.taskWait', 1, 2);

    await first.call('host.taskWait', [5], z.int(), { skipJournal: true });

    expect(await (await next()).call('host.taskWait', [5], z.int(), { skipJournal: true })).toBe(2);
  });

  /** A call that the first run has sent and whose answer it did not live to see. */
  async function cutOff() {
    const lives = await openLives();
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    lives.hub.on('make', () => {
      resolve();
      return new Promise(() => undefined);
    });
    void lives.first.call('make', [], z.int(), { retryError: async () => 0 });
    await reached;
    lives.hub.on('make', 7).on('look', 3);
    return lives;
  }

  it('looks up what was sent and not answered', async () => {
    const { hub, next } = await cutOff();
    const session = await next();

    const made = await session.call('make', [], z.int(), {
      retryError: () => session.call('look', [], z.int()),
    });

    expect(made).toBe(3);
    expect(hub.of('make')).toHaveLength(1);
    // The look-up is no step of the task: the next run does not find its answer in the place of another call.
    expect(await (await next()).call('make', [], z.int(), { retryError: async () => 0 })).toBe(3);
  });

  it('makes it when the look-up finds nothing', async () => {
    const { hub, next } = await cutOff();

    const made = await (await next()).call('make', [], z.int(), {
      retryError: async (reason) => {
        expect(reason).toBeInstanceOf(HubProtocolError);
        throw reason;
      },
    });

    expect(made).toBe(7);
    expect(hub.of('make')).toHaveLength(2);
  });
});
