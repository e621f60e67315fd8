import { describe, expect, it } from 'vitest';
import { evaluatePolicy } from './evaluate.ts';
import { parseImagePolicy } from './schema.ts';

const question = { method: 'buildArch', tagName: 'f44-build', arch: 'x86_64' };
const evaluate = (rules: readonly unknown[], asked = question) =>
  evaluatePolicy(parseImagePolicy('f44-build', { version: '1.0', rules }), asked)?.rule.image;

const byDefault = { type: 'default', image: 'default' };
const byTask = { type: 'task_type', task_type: 'buildArch', image: 'task' };
const byTag = { type: 'tag', tag: 'f44-build', image: 'tag' };
const byTagArch = { type: 'tag_arch', tag: 'f44-build', arch: 'x86_64', image: 'tag-arch' };

describe('evaluatePolicy', () => {
  it('ranks by the kind of rule, not by the place in the list', () => {
    expect(evaluate([byDefault, byTask, byTag, byTagArch])).toBe('tag-arch');
    expect(evaluate([byDefault, byTask, byTag])).toBe('tag');
    expect(evaluate([byDefault, byTask])).toBe('task');
    expect(evaluate([byDefault])).toBe('default');
  });

  it('takes the first of two equal matches and says where it stands', () => {
    const rules = [byDefault, { ...byTag, tag: 'other' }, byTag, { ...byTag, image: 'later' }];

    const chosen = evaluatePolicy(parseImagePolicy('t', { version: '1.0', rules }), question);

    expect(chosen).toEqual({ rule: byTag, index: 2 });
  });

  it('passes over rules for other tags, arches and methods', () => {
    const others = [
      { ...byTagArch, arch: 'aarch64' },
      { ...byTagArch, tag: 'f43-build' },
      { ...byTag, tag: 'F44-build' },
      { ...byTask, task_type: 'createrepo' },
    ];

    expect(evaluate([...others, byDefault])).toBe('default');
    expect(evaluate(others)).toBeUndefined();
  });

  it("compares arches in Koji's canonical form", () => {
    expect(evaluate([{ ...byTagArch, arch: 'i686' }], { ...question, arch: 'i386' })).toBe('tag-arch');
  });

  it('finds nothing among no rules', () => {
    expect(evaluate([])).toBeUndefined();
  });
});
