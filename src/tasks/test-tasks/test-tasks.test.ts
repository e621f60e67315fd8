import { describe, expect, it } from 'vitest';
import { noControl } from '../../../test/support/host-control.ts';
import { ManualClock, settle } from '../../../test/support/manual-clock.ts';
import { hubFault } from '../../../test/support/scripted-session.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import { shutdownTask } from '../host-control/index.ts';
import { defaultTask, fork, sleep, subtask, waitTest } from './index.ts';

describe('sleep', () => {
  it('takes the seconds it was given', async () => {
    const clock = new ManualClock();
    const { run } = await openTaskBench({ method: 'sleep', clock });

    const sleeping = run(sleep, 90);
    await clock.asleep(90_000);
    await clock.advance(90_000);

    expect(await sleeping).toBeNull();
  });

  it.each(['BAD_ARG', -1, null])('fails with 1019 for %j', async (seconds) => {
    const { run } = await openTaskBench({ method: 'sleep' });

    await expect(async () => run(sleep, seconds)).rejects.toMatchObject({ faultCode: 1019 });
  });

  it('ends when it is stopped', async () => {
    const clock = new ManualClock();
    const { run, abort } = await openTaskBench({ method: 'sleep', clock });

    const rejected = expect(run(sleep, 90)).rejects.toThrow('cancelled');
    await clock.asleep();
    abort.abort(new Error('cancelled'));

    await rejected;
  });
});

describe('fork', () => {
  it('starts processes that do not outlive it', async () => {
    const { run, context } = await openTaskBench({ method: 'fork' });

    const processes = () => process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length;
    const before = processes();

    expect(await run(fork, 3, 3600)).toBeNull();
    expect(processes()).toBe(before + 3);
    await context.cleanup.disposeAsync();
    await settle();

    expect(processes()).toBe(before);
  });

  it.each([-1, 1001, 1.5])('does not start %d processes', async (count) => {
    const { run } = await openTaskBench({ method: 'fork' });

    await expect(async () => run(fork, count)).rejects.toMatchObject({ faultCode: 1019 });
  });
});

describe('waittest', () => {
  it('waits for its children, of which one may fail', async () => {
    const { run, session, children } = await openTaskBench({ method: 'waittest' });
    children({});

    expect(await run(waitTest, 2, 7)).toBeNull();

    expect(
      session.of('host.subtask').map(({ keywords: { method, arglist, label } }) => [method, arglist, label]),
    ).toEqual([
      ['sleep', [7], '0'],
      ['sleep', [7], '1'],
      ['sleep', ['BAD_ARG'], 'bad'],
    ]);
    expect(session.of('host.taskWaitResults')[0]).toMatchObject({
      params: [5, [101, 102, 103]],
      keywords: { canfail: [103] },
    });
  });
});

describe('subtask', () => {
  it.each([
    [[], 'subtask', [3], 'foo'],
    [[2], 'subtask', [1], 'foo'],
    [[0], 'sleep', [15], 'bar'],
  ])('with %j starts a %s of %j', async (request, method, arglist, label) => {
    const { run, session, children } = await openTaskBench({ method: 'subtask' });
    children({});

    expect(await run(subtask, ...request)).toBeNull();

    expect(session.of('host.subtask')[0]?.keywords).toMatchObject({ method, arglist, label });
  });

  it('fails as its child does', async () => {
    const { run, session, children } = await openTaskBench({ method: 'subtask' });
    children({});
    session.on('host.taskWaitResults', hubFault(1000, 'Task 101 is canceled'));

    await expect(run(subtask)).rejects.toMatchObject({ faultString: 'Task 101 is canceled' });
  });
});

describe('default', () => {
  it('fails whatever it is given', async () => {
    const { run } = await openTaskBench({ method: 'default' });

    await expect(run(defaultTask, 1, { __starstar: true, x: 2 })).rejects.toMatchObject({
      faultCode: 1000,
      message: 'Invalid method: default',
    });
  });
});

describe('shutdown', () => {
  it('has the daemon stop once it is closed', async () => {
    const asked: number[] = [];
    const { run } = await openTaskBench({ method: 'shutdown' });

    expect(await run(shutdownTask({ ...noControl, stopAfter: (id) => asked.push(id) }))).toBeNull();

    expect(asked).toEqual([5]);
  });
});
