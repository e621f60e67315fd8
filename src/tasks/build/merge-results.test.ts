import { describe, expect, it } from 'vitest';
import { mergeResults } from './merge-results.ts';

const result = (more: Record<string, unknown> = {}) => ({
  rpms: ['t/a.x86_64.rpm'],
  srpms: [],
  logs: ['t/build.log'],
  brootid: 9,
  ...more,
});
const merge = (...results: Record<string, unknown>[]) =>
  mergeResults(
    new Map(results.map((_, index) => [['x86_64', 'i686', 'noarch'][index] ?? '', 101 + index])),
    new Map(results.map((one, index) => [101 + index, one as never])),
    5,
  );

describe('mergeResults', () => {
  it('puts the files of all arches together, each with its buildroot', () => {
    const merged = merge(
      result({ srpms: ['t/a.src.rpm'] }),
      result({ rpms: ['u/a.i686.rpm'], logs: ['u/build.log', 'u/root.log'], brootid: 10 }),
    );

    expect(merged.srpm).toBe('t/a.src.rpm');
    expect(merged.rpms).toEqual(['t/a.x86_64.rpm', 'u/a.i686.rpm']);
    expect(Object.fromEntries(merged.buildroots)).toEqual({
      't/a.x86_64.rpm': 9,
      't/a.src.rpm': 9,
      'u/a.i686.rpm': 10,
    });
    expect(Object.fromEntries(merged.logs)).toEqual({
      x86_64: ['t/build.log'],
      i686: ['u/build.log', 'u/root.log'],
    });
  });

  it('has no entry for an arch without logs', () => {
    expect([...merge(result({ srpms: ['s'], logs: [] })).logs]).toEqual([]);
  });

  it('wants a source package', () => {
    expect(() => merge(result())).toThrow(
      expect.objectContaining({ faultCode: 1005, message: 'could not find a built srpm' }),
    );
  });

  it('wants only one source package', () => {
    expect(() => merge(result({ srpms: ['a'] }), result({ srpms: ['b'] }))).toThrow(
      'multiple builds returned a srpm.  task 5',
    );
  });

  it('names the child whose result makes no sense', () => {
    expect(() => merge(result({ srpms: ['a'] }), { rpms: 'none' })).toThrow(
      expect.objectContaining({ faultCode: 1000, message: expect.stringContaining('task 102 has ended') }),
    );
  });
});
