import { describe, expect, it } from 'vitest';
import { parsePhases } from './phases.ts';

describe('parsePhases', () => {
  it('pairs the start of a step with its end', () => {
    const log = [
      '2026-01-02 03:04:05,250 - Start: fetch packages for @build',
      '2026-01-02 03:04:06,750 - Finish: fetch packages for @build',
      '2026-01-02 03:04:06,751 - Start: install packages for @build',
      '',
    ].join('\n');

    const phases = parsePhases(log);

    const startMs = Date.UTC(2026, 0, 2, 3, 4, 5, 250);
    expect(phases).toEqual([
      { name: 'fetch packages for @build', startMs, endMs: startMs + 1500 },
      { name: 'install packages for @build', startMs: startMs + 1501, endMs: null },
    ]);
  });

  it('keeps steps of the same name apart', () => {
    const log = ['05,000 - Start', '05,100 - Finish', '05,200 - Start', '05,400 - Finish', '']
      .map((line) => (line === '' ? '' : `2026-01-02 03:04:${line}: rpmbuild -bs`))
      .join('\n');

    expect(parsePhases(log).map(({ startMs, endMs }) => (endMs ?? 0) - startMs)).toEqual([100, 200]);
  });

  it('passes over a line that is not whole yet', () => {
    expect(parsePhases('2026-01-02 03:04:05,250 - Start: fetch packages for @bui')).toEqual([]);
  });

  it('passes over what is no step', () => {
    expect(parsePhases('hello\n2026-01-02 03:04:05,250 - Finish: never begun\n')).toEqual([]);
  });
});
