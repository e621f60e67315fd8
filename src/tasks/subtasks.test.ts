import { beforeEach, describe, expect, it } from 'vitest';
import { settle } from '../../test/support/manual-clock.ts';
import { hubFault, ScriptedSession } from '../../test/support/scripted-session.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import { SubtasksApi } from '../hub/api/subtasks.ts';
import { type CreatedChild, Subtasks } from './subtasks.ts';

let session: ScriptedSession;
let abort: AbortController;
let made: CreatedChild[];
let wake: FakeWake;
let subtasks: Subtasks;

/** Wakes whoever waits by then, as the daemon does. */
class FakeWake {
  waiting = 0;
  #next = Promise.withResolvers<void>();

  next(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.waiting += 1;
    const aborted = Promise.withResolvers<void>();
    const stop = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    return Promise.race([this.#next.promise, aborted.promise]).finally(() => {
      this.waiting -= 1;
      signal.removeEventListener('abort', stop);
    });
  }

  wake(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}

beforeEach(() => {
  session = new ScriptedSession().on('host.taskSetWait', null).on('cancelTaskChildren', null);
  session.on('host.taskWaitResults', ({ params: [, ids] }) =>
    Array.isArray(ids) ? ids.map((id: number) => [id, `result ${id}`]) : [],
  );
  abort = new AbortController();
  wake = new FakeWake();
  made = [];
  subtasks = new Subtasks(
    5,
    new SubtasksApi(session),
    wake,
    abort.signal,
    { childMade: (child) => made.push(child) },
    silentLog,
  );
});

describe('Subtasks.start', () => {
  it('makes a child of the task and says so', async () => {
    session.on('host.subtask', 101);

    const id = await subtasks.start({ method: 'buildArch', args: ['x', 1], label: 'noarch', arch: 'noarch' });

    expect(id).toBe(101);
    expect(session.of('host.subtask')[0]?.keywords).toEqual({
      method: 'buildArch',
      arglist: ['x', 1],
      parent: 5,
      label: 'noarch',
      arch: 'noarch',
    });
    expect(made).toEqual([{ id: 101, method: 'buildArch', parentId: 5, assigned: false }]);
  });

  it('tells of a child that was given to a host', async () => {
    session.on('host.subtask', 101);

    await subtasks.start({ method: 'restart', args: [], assign: 3 });

    expect(made).toMatchObject([{ id: 101, assigned: true }]);
  });

  it('leaves out what the hub is to choose', async () => {
    session.on('host.subtask', 101);

    await subtasks.start({ method: 'waitrepo', args: [] });

    expect(session.of('host.subtask')[0]?.keywords).toEqual({ method: 'waitrepo', arglist: [], parent: 5 });
  });
});

describe('Subtasks.wait', () => {
  it('gives the results of children that have ended by then', async () => {
    session.on('host.taskWait', [[101, 102], []]);

    const results = await subtasks.wait([101, 102], { all: true });

    expect([...results]).toEqual([
      [101, 'result 101'],
      [102, 'result 102'],
    ]);
    expect(session.methods).toEqual(['host.taskSetWait', 'host.taskWait', 'host.taskWaitResults']);
    expect(session.of('host.taskSetWait')[0]?.params).toEqual([5, [101, 102]]);
    expect(wake.waiting).toBe(0);
  });

  it('asks again only when it is woken', async () => {
    session.on('host.taskWait', [[], [101]], [[], [101]], [[101], []]);

    const waiting = subtasks.wait([101]);
    await settle();
    expect(session.of('host.taskWait')).toHaveLength(1);
    wake.wake();
    await settle();
    expect(session.of('host.taskWait')).toHaveLength(2);
    wake.wake();

    expect((await waiting).get(101)).toBe('result 101');
  });

  it('does not miss a child that ends while the hub answers', async () => {
    session.on('host.taskWait', () => {
      wake.wake();
      return [[], [101]];
    }, [[101], []]);

    expect((await subtasks.wait([101])).get(101)).toBe('result 101');
  });

  it('ends with the first child unless it waits for all', async () => {
    session.on('host.taskWait', [[102], [101]]);

    expect([...(await subtasks.wait([101, 102])).keys()]).toEqual([102]);
    expect(wake.waiting).toBe(0);
  });

  it('gives the result of a child whose end the hub has told before, in an answer that was lost', async () => {
    session.on('host.taskWait', hubFault(1009, 'unable to retry call'), [[], []]);

    expect((await subtasks.wait([101])).get(101)).toBe('result 101');
  });

  it('waits for all although one has ended', async () => {
    session.on('host.taskWait', [[102], [101]], [[101], []]);

    const waiting = subtasks.wait([101, 102], { all: true });
    await settle();
    expect(session.of('host.taskWaitResults')).toEqual([]);
    wake.wake();

    expect([...(await waiting).keys()]).toEqual([101, 102]);
  });

  it('cancels the other children when one fails that may not, and rejects with its fault', async () => {
    session
      .on('host.taskWait', [[102, 103], [101]])
      .on('getTaskResult', null, hubFault(1005, 'error building package'));

    const waiting = subtasks.wait([101, 102, 103], { all: true, failAny: true });

    await expect(waiting).rejects.toMatchObject({ faultCode: 1005 });
    expect(session.of('getTaskResult').map(({ params }) => params[0])).toEqual([102, 103]);
    expect(session.of('cancelTaskChildren')[0]?.params).toEqual([5]);
    expect(wake.waiting).toBe(0);
  });

  it('looks at each result once, and not at those of children that may fail', async () => {
    session
      .on('host.taskWait', [[102, 103], [101]], [[102, 103], [101]], [[101], []])
      .on('getTaskResult', null);

    const waiting = subtasks.wait([101, 102, 103], { all: true, failAny: true, canFail: [103] });
    await settle();
    wake.wake();
    await settle();
    wake.wake();
    await waiting;

    expect(session.of('getTaskResult').map(({ params }) => params[0])).toEqual([102]);
    expect(session.of('host.taskWaitResults')[0]).toMatchObject({
      params: [5, [101, 102, 103]],
      keywords: { canfail: [103] },
    });
  });

  it('does not cancel the children because a result could not be asked for', async () => {
    session.on('host.taskWait', [[102], [101]]).on('getTaskResult', new TypeError('no connection'));

    await expect(subtasks.wait([101, 102], { all: true, failAny: true })).rejects.toThrow('no connection');

    expect(session.of('cancelTaskChildren')).toEqual([]);
  });

  it('rejects with the fault of a child that failed', async () => {
    session
      .on('host.taskWait', [[101], []])
      .on('host.taskWaitResults', hubFault(1000, 'Task 101 is canceled'));

    await expect(subtasks.wait([101])).rejects.toMatchObject({ faultString: 'Task 101 is canceled' });
  });

  it('gives up with the reason when its task is stopped', async () => {
    session.on('host.taskWait', [[], [101]]);

    const rejected = expect(subtasks.wait([101])).rejects.toThrow('cancelled');
    await settle();
    abort.abort(new Error('cancelled'));

    await rejected;
    expect(wake.waiting).toBe(0);
  });
});
