import { appendFile, readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openTestHistory } from '../../test/support/test-history.ts';
import { HistoryDiverged } from './errors.ts';
import type { HistoryLogs } from './task-history.ts';

/** Logs whose sizes a test sets, and that note what is asked of them. */
function fakeLogs(sizes: Record<string, number> = {}) {
  const asked: unknown[] = [];
  const logs: HistoryLogs = {
    marks: () => Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, { size, inode: 5 }])),
    async resume(at, growing) {
      asked.push([at, growing]);
      return { writtenBytes: growing === null ? 0 : 7, tail: Buffer.from('tail') };
    },
  };
  return { logs, asked, sizes };
}

const never = () => Promise.reject(new Error('done twice'));
/** Work that tells when it has begun, and never ends. */
const hangAfter = (begun: () => void) => () => {
  begun();
  return new Promise<never>(() => undefined);
};

describe('TaskHistory', () => {
  it('does once what a previous run has done', async () => {
    const { first, next } = await openTestHistory();

    expect(await first.once('image', z.string(), async () => 'x')).toBe('x');
    const second = await next();

    expect(first.resumed).toBe(false);
    expect(second.resumed).toBe(true);
    expect(await second.once('image', z.string(), never)).toBe('x');
    expect(await second.once('image', z.string(), async () => 'y')).toBe('y');
    const third = await next();
    expect([
      await third.once('image', z.string(), never),
      await third.once('image', z.string(), never),
    ]).toEqual(['x', 'y']);
  });

  it('says what was begun and has no known end', async () => {
    const { first, next } = await openTestHistory();
    await new Promise<void>((begun) => void first.once('image', z.null(), hangAfter(begun)));

    const second = await next();

    expect(second.isBegun('image')).toBe(true);
    expect(second.isEnded('image')).toBe(false);
    let told: boolean | null = null;
    await second.once('image', z.null(), async (begun) => {
      told = begun;
      return null;
    });
    expect(told).toBe(true);
    expect((await next()).isEnded('image')).toBe(true);
  });

  it('does again what has thrown', async () => {
    const { first, next } = await openTestHistory();
    await expect(first.once('image', z.null(), () => Promise.reject(new Error('no')))).rejects.toThrow('no');

    expect(await (await next()).once('image', z.null(), async () => null)).toBeNull();
  });

  it('continues with a phase that was under way, behind what it has written', async () => {
    const { first, next } = await openTestHistory(() => 1000);
    const { logs, sizes } = fakeLogs({ 'root.log': 10 });
    first.attach(logs);
    await first.once('image', z.null(), async () => null);
    sizes['root.log'] = 20;
    await new Promise<void>((begun) => {
      const phase = {
        result: z.int(),
        log: 'root.log',
        make: async () => 'c',
        work: hangAfter(begun),
      };
      void first.phase('createrepo', phase);
    });

    const second = await next();
    const later = fakeLogs();
    second.attach(later.logs);
    expect(second.isPast).toBe(true);
    await second.once('image', z.null(), never);
    const code = await second.phase('createrepo', {
      result: z.int(),
      log: 'root.log',
      make: async () => 'c',
      async work(made, earlier) {
        expect(made).toBe('c');
        expect(earlier).toEqual({ startedMs: 1000, writtenBytes: 7, tail: Buffer.from('tail') });
        return 3;
      },
    });

    expect(code).toBe(3);
    expect(later.asked).toEqual([[{ 'root.log': { size: 20, inode: 5 } }, 'root.log']]);
    expect(second.isPast).toBe(false);
  });

  it('leaves the past with the last thing that was done', async () => {
    const { first, next } = await openTestHistory();
    const { logs } = fakeLogs({ 'root.log': 30 });
    first.attach(logs);
    const phase = { result: z.int(), log: 'root.log', make: async () => 'c', work: async () => 0 };
    await first.once('root:group', z.null(), async () => {
      await first.phase('createrepo', phase);
      return null;
    });

    const second = await next();
    const later = fakeLogs();
    second.attach(later.logs);
    await second.once('root:group', z.null(), never);

    expect(later.asked).toEqual([[{ 'root.log': { size: 30, inode: 5 } }, null]]);
  });

  it('refuses another way than before', async () => {
    const { first, next } = await openTestHistory();
    const { logs } = fakeLogs();
    first.attach(logs);
    const phase = { result: z.int(), log: 'root.log', make: async () => 'c', work: async () => 0 };
    await first.phase('createrepo', phase);

    const second = await next();
    second.attach(fakeLogs().logs);

    await expect(second.phase('mergerepos', phase)).rejects.toThrow(HistoryDiverged);
  });

  it('refuses a result that has another shape than is expected now', async () => {
    const { first, next } = await openTestHistory();
    await first.once('image', z.string(), async () => 'x');

    await expect((await next()).once('image', z.int(), never)).rejects.toThrow(HistoryDiverged);
  });

  it('passes over a line that was cut off', async () => {
    const { first, next, directory } = await openTestHistory();
    await first.once('image', z.int(), async () => 1);
    const [file = ''] = await readdir(directory);
    await appendFile(`${directory}/${file}`, '{"begin":"b');

    const second = await next();
    await second.once('image-digest', z.int(), async () => 2);

    expect(await (await next()).once('image', z.int(), never)).toBe(1);
    expect(await (await next()).once('image-digest', z.int(), never)).toBe(2);
  });
});
