import { describe, expect, it } from 'vitest';
import { acceptRules } from '../../config/options/accept-rules.ts';
import { neededPurpose, type TaskPurpose, whyMethodRefused, whyPurposeRefused } from './accept.ts';

const parse = (text: string) => acceptRules.schema.parse(text);

describe('whyMethodRefused', () => {
  it.each([
    ['', 'build', null],
    ['tags=x scratch=only', 'newRepo', null],
    ['methods=build,buildArch', 'buildArch', null],
    [
      'methods=build,buildArch',
      'newRepo',
      'it is a newRepo task; this host is limited to methods=build,buildArch (accept in adjutant.conf)',
    ],
  ])('by "%s", of %s: %s', (rules, method, why) => {
    expect(whyMethodRefused(parse(rules), method)).toBe(why);
  });
});

describe('whyPurposeRefused', () => {
  const scratch = { buildTag: 'f1-build', scratch: true };
  const official = { buildTag: 'f1-build', scratch: false };
  const without = { buildTag: null, scratch: false };

  it.each<[string, TaskPurpose, RegExp | null]>([
    ['', without, null],
    ['methods=build', without, null],
    ['tags=f1-*', official, null],
    ['tags=f1-*', scratch, null],
    ['tags=f2-*', official, /^its build tag is f1-build; .* to tags=f2-\* /],
    ['tags=*', without, /^it has no build tag; /],
    ['tags=!f2-build', without, /^it has no build tag; /],
    ['scratch=only', scratch, null],
    ['scratch=only', official, /^it belongs to no scratch build; /],
    ['scratch=only', without, /^it belongs to no scratch build; /],
    ['scratch=no', scratch, /^it belongs to a scratch build; /],
    ['scratch=no', official, null],
    ['scratch=no', without, null],
    ['tags=f1-build scratch=only', scratch, null],
    ['tags=f1-build scratch=only', official, /no scratch build/],
    ['tags=f2-build scratch=only', scratch, /build tag is f1-build/],
  ])('by "%s", of %o: %s', (rules, purpose, why) => {
    const refused = whyPurposeRefused(parse(rules), purpose);

    if (why === null) expect(refused).toBeNull();
    else expect(refused).toMatch(why);
  });
});

describe('neededPurpose', () => {
  it.each([
    ['', false, false],
    ['methods=build', false, false],
    ['tags=x', true, false],
    ['scratch=no', false, true],
    ['scratch=only tags=x', true, true],
  ])('of "%s": tag %s, scratch %s', (rules, buildTag, scratch) => {
    expect(neededPurpose(parse(rules))).toEqual({ buildTag, scratch });
  });
});
