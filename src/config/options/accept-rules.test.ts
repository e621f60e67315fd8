import { describe, expect, it } from 'vitest';
import { acceptRules, formatAcceptRules, isAmong, patternsWithoutMethod } from './accept-rules.ts';

const parse = (text: string) => acceptRules.schema.parse(text);

describe('acceptRules', () => {
  it('accepts everything when there are none', () => {
    expect(parse('')).toEqual({ methods: null, tags: null, scratch: null });
  });

  it('reads rules in any order, on one line or more', () => {
    expect(parse('scratch=only\n tags=f4*,!f40-build  methods=build')).toEqual({
      methods: ['build'],
      tags: ['f4*', '!f40-build'],
      scratch: 'only',
    });
  });

  it.each([
    ['method=build', /"method=build" is not a rule.*did you mean methods/],
    ['build', /"build" is not a rule.*write methods=GLOB/],
    ['owner=dev', /"owner=dev" is not a rule/],
    ['methods=', /"methods=" has an empty part/],
    ['tags=a, b', /"tags=a," has an empty part/],
    ['tags=!', /has an empty part/],
    ['scratch=yes', /scratch=only/],
    ['scratch', /"scratch" is not a rule/],
    ['tags=a tags=b', /tags is there twice/],
    ['scratch=no scratch=only', /scratch is there twice/],
  ])('does not take %j', (text, message) => {
    const parsed = acceptRules.schema.safeParse(text);

    expect(parsed.error?.issues[0]?.message).toMatch(message);
  });

  it.each(['methods=build*,!buildArch tags=f1-* scratch=no', 'tags=a', ''])(
    'writes %j as it reads it',
    (text) => {
      expect(formatAcceptRules(parse(text))).toBe(text);
    },
  );
});

describe('isAmong', () => {
  it.each<[string, string[], boolean]>([
    ['build', ['build'], true],
    ['build', ['Build'], false],
    ['buildArch', ['build'], false],
    ['buildArch', ['build*'], true],
    ['f1-build', ['f[12]-build'], true],
    ['f3-build', ['f[!12]-build'], true],
    ['a', ['b', 'a'], true],
    ['a', ['!b'], true],
    ['b', ['!b'], false],
    ['buildArch', ['build*', '!buildArch'], false],
    ['buildArch', ['!buildArch', 'build*'], false],
    ['sleep', ['build*', '!buildArch'], false],
  ])('%s in %j: %s', (name, patterns, among) => {
    expect(isAmong(name, patterns)).toBe(among);
  });
});

describe('patternsWithoutMethod', () => {
  it('names patterns that match none, the negative ones too', () => {
    const rules = parse('methods=build*,buildarch,!newrepo,!sleep');

    expect(patternsWithoutMethod(rules, ['build', 'buildArch', 'sleep'])).toEqual(['buildarch', '!newrepo']);
    expect(patternsWithoutMethod(parse('tags=x'), [])).toEqual([]);
  });
});
