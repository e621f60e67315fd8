import { describe, expect, it } from 'vitest';
import {
  asleepMs,
  lastWords,
  setUpDaemon as setUp,
  sleepTask,
} from '../../test/support/daemon-under-test.ts';
import { settle } from '../../test/support/manual-clock.ts';
import { otherHost } from '../../test/support/memory-hub.ts';
import { HubFault, HubTransportError, SessionLost } from '../hub/faults.ts';
import { exitCode } from './daemon.ts';

describe('Daemon: stop', () => {
  it('is not ready any more, stops its tasks, frees them once, logs out, and ends with 0', async () => {
    const { hub, clock, daemon, run, happened, callsFrom } = await setUp();
    const [a, b] = [sleepTask(hub), sleepTask(hub)];
    const code = run();
    await clock.asleep(250);
    await clock.asleep(asleepMs);

    daemon.stop();

    expect(await code).toBe(exitCode.stopped);
    expect(callsFrom('host.updateHost')).toEqual([
      'host.updateHost',
      'host.getHostTasks',
      'host.freeTasks',
      'logout',
    ]);
    expect(hub.told).toEqual({ load: 0, ready: false });
    expect(hub.paramsOf('host.freeTasks')).toEqual([[[a, b]]]);
    expect([hub.task(a).state, hub.task(b).state]).toEqual(['free', 'free']);
    expect(hub.closedSessions).toEqual(expect.arrayContaining([1, 2, 3]));
    expect(hub.closedSessions.at(-1)).toBe(1);
    expect(happened.slice(0, 2)).toEqual(['ready builder', 'free']);
    expect(happened.slice(2).sort()).toEqual([`${a} stopped`, `${b} stopped`]);
  });

  it('says that it is not ready before its tasks have tidied up', async () => {
    const { hub, clock, daemon, run } = await setUp();
    sleepTask(hub);
    const code = run();
    await clock.asleep(asleepMs);
    const tidied = Promise.withResolvers<void>();
    hub.once('logout', () => tidied.promise);

    daemon.stop();
    await hub.called('logout');
    await settle();

    expect(hub.told?.ready).toBe(false);
    expect(hub.paramsOf('host.freeTasks')).toEqual([]);
    tidied.resolve();
    await code;
    expect(hub.paramsOf('host.freeTasks')).toHaveLength(1);
  });

  it('lets roots be kept that are on their way, when the hub has its tasks back already', async () => {
    const { hub, clock, environment, daemon, run } = await setUp();
    const keeping = Promise.withResolvers<void>();
    environment.buildrootHost.cache.failed.idle = () => keeping.promise;
    const code = run();
    await clock.asleep(250);
    let ended = false;
    void code.then(() => {
      ended = true;
    });

    daemon.stop();
    await hub.called('host.getHostTasks');
    await settle();

    expect(ended).toBe(false);
    keeping.resolve();
    expect(await code).toBe(exitCode.stopped);
    expect(hub.closedSessions).toContain(1);
  });

  it('does not wait for them longer than shutdown_grace', async () => {
    const { hub, clock, environment, daemon, run, lines } = await setUp();
    environment.buildrootHost.cache.failed.idle = () => Promise.withResolvers<void>().promise;
    const code = run();
    await clock.asleep(250);

    daemon.stop();
    await hub.called('host.getHostTasks');
    await clock.asleep(60_000);
    await clock.advance(60_000);

    expect(await code).toBe(exitCode.stopped);
    expect(lines.map(({ msg }) => msg)).toContain('background work not finished: deadline exceeded');
  });

  it('takes no new work', async () => {
    const { hub, clock, daemon, run } = await setUp();
    const code = run();
    await clock.asleep(250);
    const id = sleepTask(hub);

    daemon.stop();
    await code;

    expect(hub.task(id).state).toBe('assigned');
  });

  it.each(['host.openTask', 'host.setTaskWeight', 'subsession'])(
    'frees a task that is being opened: at %s',
    async (method) => {
      const { hub, daemon, run } = await setUp();
      const id = sleepTask(hub);
      hub.once(method, () => {
        // The hub carries it out, but nobody hears of it.
        Object.assign(hub.task(id), { state: 'open' });
        daemon.stop();
      });

      expect(await run()).toBe(exitCode.stopped);

      expect(hub.task(id).state).toBe('free');
    },
  );

  it('leaves alone what ended or was taken away in between', async () => {
    const { hub, clock, daemon, run } = await setUp();
    const [mine, theirs] = [sleepTask(hub), sleepTask(hub)];
    const code = run();
    await clock.asleep(250);
    await clock.asleep(asleepMs);
    hub.task(theirs).host = otherHost;

    daemon.stop();
    await code;

    expect(hub.paramsOf('host.freeTasks')).toEqual([[[mine]]]);
  });

  it('does it once, however often it is asked', async () => {
    const { hub, clock, daemon, run, happened } = await setUp();
    const code = run();
    await clock.asleep(250);

    daemon.stop();
    daemon.stop();
    await code;
    daemon.stop();

    expect(hub.paramsOf('logout')).toHaveLength(1);
    expect(happened).toEqual(['ready builder', 'free']);
  });

  it('ends at once when it was asked before it ran', async () => {
    const { hub, daemon, run } = await setUp();

    daemon.stop();

    expect(await run()).toBe(exitCode.stopped);
    expect(hub.methods().filter((method) => method !== 'host.getHost')).toEqual(lastWords);
  });

  it('ends the look for dead buildroots, too', async () => {
    const { hub, clock, daemon, run, lines } = await setUp();
    const code = run();
    await clock.asleep(250);
    hub.always('listBuildroots', 'hang');
    await clock.advance(300_000);

    daemon.stop();

    expect(await code).toBe(exitCode.stopped);
    expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
    expect(clock.sleeping).toBe(0);
  });

  it('is what it is once it ends: neither a stop nor a drain changes how', async () => {
    const { hub, clock, daemon, run, happened } = await setUp();
    const code = run();
    await clock.asleep(250);
    hub.once('logout', () => daemon.drain());

    daemon.stop();
    expect(await code).toBe(exitCode.stopped);
    daemon.stop();
    daemon.drain();

    expect(happened).toEqual(['ready builder', 'free']);
  });

  it('leaves no listener behind', async () => {
    const { clock, daemon, events, run } = await setUp();
    const before = events.listenerCount('task:ended') + events.listenerCount('poll:done');
    const code = run();
    await clock.asleep(250);
    const during = events.listenerCount('task:ended') + events.listenerCount('poll:done');

    daemon.stop();
    await code;

    expect(during).toBe(before);
    expect(events.listenerCount('task:ended') + events.listenerCount('poll:done')).toBe(before);
  });
});

describe('Daemon: a hub or a task that does not come to an end', () => {
  it('ends although the hub refuses every last word', async () => {
    const { hub, clock, daemon, run, lines } = await setUp();
    const code = run();
    await clock.asleep(250);
    for (const method of lastWords) hub.always(method, new HubTransportError('unreachable', 'no route'));

    daemon.stop();

    expect(await code).toBe(exitCode.stopped);
    expect(lines.filter(({ level }) => level === 40).map(({ msg }) => msg)).toEqual([
      'not reported to the hub: not ready',
      'not reported to the hub: tasks freed',
      'not reported to the hub: logout',
    ]);
  });

  it('ends although the hub hangs', async () => {
    const { hub, clock, daemon, run } = await setUp();
    const code = run();
    await clock.asleep(250);
    for (const method of lastWords) hub.always(method, 'hang');

    daemon.stop();
    for (const method of lastWords) {
      await hub.called(method, hub.paramsOf(method).length);
      await clock.asleep(20_000);
      await clock.advance(20_000);
    }

    expect(await code).toBe(exitCode.stopped);
  });

  it('ends without a task that does not stop, and gives it back', async () => {
    const { hub, clock, daemon, run, lines } = await setUp();
    const id = sleepTask(hub);
    const code = run();
    await clock.asleep(asleepMs);
    hub.once('logout', 'hang');

    daemon.stop();
    await hub.called('logout');
    await clock.advance(60_000);

    expect(await code).toBe(exitCode.stopped);
    expect(hub.task(id).state).toBe('free');
    expect(lines).toContainEqual(expect.objectContaining({ level: 50, taskIds: [id] }));
  });

  it('stops its tasks and ends with 1 when the session is lost, without another word', async () => {
    const { hub, clock, run, happened, lines } = await setUp();
    const id = sleepTask(hub);
    const code = run();
    await clock.asleep(250);
    await clock.asleep(asleepMs);
    hub.lost = new SessionLost('somebody took the lock');
    const before = hub.methods(1).length;

    await clock.advance(250);

    expect(await code).toBe(exitCode.failed);
    expect(happened.at(-1)).toBe(`${id} stopped`);
    expect(hub.methods(1).slice(before)).toEqual(['host.getHostTasks']);
    expect(lines).toContainEqual(expect.objectContaining({ level: 60 }));
  });

  it('gives its tasks back and ends with 1 when it cannot go on for another reason', async () => {
    const { hub, clock, run } = await setUp();
    const id = sleepTask(hub);
    const code = run();
    await clock.asleep(250);
    await clock.asleep(asleepMs);
    hub.once('host.getHost', new HubFault(1007, 'session has expired'));

    await clock.advance(250);

    expect(await code).toBe(exitCode.failed);
    expect(hub.task(id).state).toBe('free');
    expect(hub.closedSessions).toContain(1);
  });
});
