import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from '../../test/support/manual-clock.ts';
import { keptLog } from '../../test/support/silent-log.ts';
import type { Container } from '../container/step-runtime.ts';
import { never } from '../core/never.ts';
import { drainOutput, silentMs } from './drain-output.ts';

const ended = Promise.resolve();

/** A container whose n-th reading gives this text and then ends, or hangs. */
function readings(...texts: readonly { readonly text: string; readonly hangs: boolean }[]) {
  const asked: (readonly [from: number | undefined, end: string | undefined])[] = [];
  const container = {
    name: 'one',
    describe: async () => 'exited',
    async *output(signal: AbortSignal, from?: number, end?: Uint8Array) {
      const { text, hangs } = texts[asked.length] ?? { text: '', hangs: false };
      asked.push([from, end === undefined ? undefined : Buffer.from(end).toString()]);
      yield Buffer.from(text);
      if (hangs)
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  } satisfies Partial<Container>;
  return { container: container as unknown as Container, asked };
}

function sink() {
  const written: string[] = [];
  return {
    written,
    write: async (bytes: Uint8Array | string) => void written.push(Buffer.from(bytes).toString()),
  };
}

describe('drainOutput', () => {
  it('reads again from where it stopped when a container has ended and its output has not, and says so', async () => {
    const { container, asked } = readings({ text: 'abc', hangs: true }, { text: 'def', hangs: false });
    const { log, lines } = keptLog();
    const clock = new ManualClock();
    const to = sink();
    const draining = drainOutput(container, to, ended, clock, never, {
      from: 2,
      end: Buffer.from('xy'),
      title: 'rpmbuild',
      log,
    });
    await clock.asleep(silentMs);
    await clock.advance(silentMs);
    // What came since it fell asleep counts as progress.
    await clock.advance(silentMs);

    await draining;
    expect(to.written.join('')).toBe('abcdef');
    expect(asked).toEqual([
      [2, 'xy'],
      [5, undefined],
    ]);
    expect(lines).toMatchObject([
      {
        level: 50,
        seen: 'exited',
        msg: expect.stringMatching(/^rpmbuild: container one has ended, its output has not/),
      },
    ]);
  });

  it('gives up when that is of no use', async () => {
    const { container } = readings({ text: '', hangs: true }, { text: '', hangs: true });
    const clock = new ManualClock();
    const draining = drainOutput(container, sink(), ended, clock, never, {});
    const failing = expect(draining).rejects.toMatchObject({ code: 'end-unseen' });
    for (let tries = 0; tries < 2; tries += 1) {
      await clock.asleep(silentMs);
      await clock.advance(silentMs);
    }

    await failing;
  });

  it('does not write twice what a log does not take', async () => {
    const { container, asked } = readings({ text: 'abc', hangs: false });
    const clock = new ManualClock();
    const stuck = { write: () => new Promise<void>(() => undefined) };
    const draining = drainOutput(container, stuck, ended, clock, never, {});
    const failing = expect(draining).rejects.toThrow('its log does not take it after 0 bytes');
    await clock.asleep(silentMs);
    await clock.advance(silentMs);

    await failing;
    expect(asked).toHaveLength(1);
  });

  it('waits for the output of a container that runs for as long as that takes', async () => {
    const { container } = readings({ text: 'abc', hangs: true });
    const clock = new ManualClock();
    const leave = new AbortController();
    const draining = drainOutput(container, sink(), new Promise(() => undefined), clock, leave.signal, {});
    const failing = expect(draining).rejects.toThrow('enough');
    await settle();
    await clock.advance(10 * silentMs);
    leave.abort(new Error('enough'));

    await failing;
    expect(clock.sleeping).toBe(0);
  });
});
