import { describe, expect, it } from 'vitest';
import { keptLog } from '../../test/support/silent-log.ts';
import { BackgroundRemovals } from './background-removals.ts';
import type { Container } from './step-runtime.ts';

function container(dispose: () => Promise<void>): Container {
  const never = () => Promise.reject(new Error('not called'));
  return {
    id: 'c',
    name: 'one',
    start: never,
    wait: never,
    copyOut: never,
    runAttached: never,
    keepRoot: never,
    stop: never,
    describe: never,
    output: () => {
      throw new Error('not called');
    },
    [Symbol.asyncDispose]: dispose,
  };
}

describe('BackgroundRemovals', () => {
  it('removes a container once, and no sooner than what it waits for has ended, well or not', async () => {
    const { log, lines } = keptLog();
    const removals = new BackgroundRemovals(log);
    const gate = Promise.withResolvers<void>();
    let removed = 0;
    const one = container(async () => {
      removed += 1;
    });

    removals.add(one, gate.promise);
    removals.add(one, gate.promise);
    expect([removals.has(one), removed]).toEqual([true, 0]);
    gate.reject(new Error('a commit failed'));
    await removals.idle();

    expect([removals.has(one), removed]).toEqual([false, 1]);
    expect(lines).toEqual([]);
  });

  it('names in the log what could not be removed', async () => {
    const { log, lines } = keptLog();
    const removals = new BackgroundRemovals(log);

    removals.add(container(() => Promise.reject(new Error('busy'))));
    await removals.idle();

    expect(lines).toMatchObject([{ container: 'one', err: 'busy' }]);
  });
});
