import { matchesGlob } from '../../core/glob.ts';
import { suggestion } from '../checks/suggestion.ts';
import { splitWords } from '../format/python-text.ts';
import { type OptionType, reject, typeOf } from './parsers.ts';

/** A list of shell patterns; what one with `!` before it matches is out, whatever the others say. */
export type Patterns = readonly string[];

/** What this host takes of the tasks that the hub gives it; null where it does not matter. */
export interface AcceptRules {
  readonly methods: Patterns | null;
  /** Of names of build tags. */
  readonly tags: Patterns | null;
  readonly scratch: 'only' | 'no' | null;
}

const lists = ['methods', 'tags'] as const;
const words = [...lists, 'scratch'];
const form = 'methods=GLOB,!GLOB tags=GLOB,... scratch=only|no';

/** `methods=build*,!buildArch tags=f1-* scratch=only`: rules that must all hold, space separated, each at most once. */
export const acceptRules: OptionType<AcceptRules> = typeOf(form, (value) => {
  const rules: { -readonly [Name in keyof AcceptRules]: AcceptRules[Name] } = {
    methods: null,
    tags: null,
    scratch: null,
  };
  for (const word of splitWords(value)) {
    const [, name = '', text = ''] = /^([a-z]+)=(.*)$/.exec(word) ?? [];
    const list = lists.find((known) => known === name);
    if (list === undefined && name !== 'scratch')
      return reject(`"${word}" is not a rule${suggestion(name || word, words)}; write ${form}`);
    if (rules[list ?? 'scratch'] !== null) return reject(`${name} is there twice; keep one`);
    if (list !== undefined) {
      const patterns = text.split(',');
      if (patterns.some((pattern) => pattern === '' || pattern === '!'))
        return reject(`"${word}" has an empty part; write ${name}=GLOB,GLOB without spaces`);
      rules[list] = patterns;
    } else if (text === 'only' || text === 'no') rules.scratch = text;
    else
      return reject(`"${word}" is not a rule; write scratch=only for nothing else, or scratch=no for none`);
  }
  return rules;
});

/** Whether a name is in: one of the patterns matches it, or there are none but `!` ones, and no `!` one does. */
export function isAmong(name: string, patterns: Patterns): boolean {
  const out = patterns.filter(isNegative);
  if (out.some((pattern) => matchesGlob(name, pattern.slice(1)))) return false;
  return patterns.length === out.length || patterns.some((pattern) => matchesGlob(name, pattern));
}

/** The patterns for methods that match none of those this builder has: slips of the pen, which would refuse work for good. */
export function patternsWithoutMethod({ methods }: AcceptRules, known: Iterable<string>): readonly string[] {
  const names = [...known];
  return (methods ?? []).filter(
    (pattern) => !names.some((name) => matchesGlob(name, isNegative(pattern) ? pattern.slice(1) : pattern)),
  );
}

/** The rules as one would write them; empty when everything is accepted. */
export function formatAcceptRules(rules: AcceptRules): string {
  const parts = lists.flatMap((name) => {
    const patterns = rules[name];
    return patterns === null ? [] : [`${name}=${patterns.join(',')}`];
  });
  return [...parts, ...(rules.scratch === null ? [] : [`scratch=${rules.scratch}`])].join(' ');
}

/** `[!...]` is a set of characters, and stands for itself. */
function isNegative(pattern: string): boolean {
  return pattern.startsWith('!');
}
