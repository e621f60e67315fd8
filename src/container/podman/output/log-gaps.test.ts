import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogGapWatch } from './log-gaps.ts';

const head = '2026-01-31T12:00:00.123456789+00:00 stdout F ';
const entry = (text: string) => Buffer.from(`${head}${text}\n`);
const later = Buffer.from('2026-01-31T12:00:00.123456790+00:00 stdout F later\n');
const log = Buffer.concat(Array.from({ length: 300 }, (_, i) => entry(`line ${i}`)));

/** Whether a tear is seen, in a log that comes in pieces. */
function isTorn(content: Buffer, cuts: readonly number[] = []): boolean {
  const watch = new LogGapWatch(0);
  const edges = [
    0,
    ...cuts.map((cut) => cut % (content.length + 1)).toSorted((a, b) => a - b),
    content.length,
  ];
  return edges
    .slice(1)
    .map((end, i) => watch.see(content.subarray(edges[i], end)))
    .some((seen) => seen !== null);
}

describe('LogGapWatch', () => {
  it('sees an entry that continues with another where a block ends, however the log is cut', () => {
    const cuts = fc.array(fc.nat(), { maxLength: 8 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), cuts, (block, at) => {
        const before = log.subarray(0, block * 512);
        // Where entry and block end together nothing shows.
        fc.pre(before.at(-1) !== 0x0a);
        expect(isTorn(Buffer.concat([before, later]), at)).toBe(true);
      }),
    );
  });

  it('sees none in a whole log, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (at) => {
        expect(isTorn(log, at)).toBe(false);
      }),
    );
  });

  it('takes a log in the output for output, also where that begins with a block', () => {
    const lines = Array.from({ length: 4000 }, (_, i) =>
      entry(`${'x'.repeat((i * i) % 97)} said ${head}text`),
    );
    const quoting = Buffer.concat(lines);
    const places = [...quoting.toString().matchAll(/said /g)].map(({ index }) => index + 5);

    expect(places.some((place) => place % 512 === 0)).toBe(true);
    expect(isTorn(quoting)).toBe(false);
  });

  it('sees a tear far behind the beginning of a long entry', () => {
    const long = entry('x'.repeat(5000)).subarray(0, 4096);

    expect(isTorn(Buffer.concat([long, later]), [1000, 2000, 4100])).toBe(true);
  });

  it('counts from where it begins', () => {
    const watch = new LogGapWatch(500);

    expect(watch.see(Buffer.concat([log.subarray(0, 12), later]))).toBe(12);
  });

  it.each([
    ['nothing', Buffer.alloc(0), true],
    ['a whole entry', entry('one'), true],
    ['a part of one', entry('one').subarray(0, -1), false],
  ])('knows whether the log ends whole: %s', (_what, content, whole) => {
    const watch = new LogGapWatch(0);
    watch.see(content);

    expect(watch.endsWhole).toBe(whole);
  });
});
