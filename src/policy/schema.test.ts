import { describe, expect, it } from 'vitest';
import { PolicyError } from './errors.ts';
import { parseImageName, parseImagePolicy } from './schema.ts';

const policy = (...rules: readonly unknown[]) => ({ version: '1.0', rules });
const parse = (value: unknown) => parseImagePolicy('f44-build', value);
const path = 'adjutant_image_policy';

describe('parseImagePolicy', () => {
  it('accepts the four kinds of rule', () => {
    const rules = [
      { type: 'tag_arch', tag: 'f44-build', arch: 'x86_64', image: 'quay.io/org/root:44' },
      { type: 'tag', tag: 'f44-build', image: 'localhost/koji-adjutant-buildroot:f44-<arch>' },
      { type: 'task_type', task_type: 'createrepo', image: 'root@sha256:0123' },
      { type: 'default', image: 'root' },
    ];

    expect(parse(policy(...rules))).toEqual({ version: '1.0', rules });
  });

  it('accepts a value that is still a JSON text', () => {
    const value = policy({ type: 'default', image: 'root' });

    expect(parse(JSON.stringify(value))).toEqual(value);
  });

  it('accepts settings beside the image, memory in bytes or with a unit', () => {
    const rule = { type: 'default', image: 'root', pull_policy: 'always', buildroot: 'tag', network: true };

    const parsed = parse(policy({ ...rule, limits: { memory: '4G', pids: 512, cpus: 1.5 } }));

    expect(parsed.rules).toEqual([{ ...rule, limits: { memory: 4 * 1024 ** 3, pids: 512, cpus: 1.5 } }]);
    expect(parse(policy({ ...rule, limits: { memory: 10_000_000 } })).rules[0]?.limits).toEqual({
      memory: 10_000_000,
    });
  });

  it.each<[string, unknown, string]>([
    ['nothing', null, `${path} must be an object with version, rules, not null`],
    ['a list', [], `${path} must be an object with version, rules, not a list`],
    ['a broken JSON text', '{"version":', `${path} is not JSON: `],
    ['a JSON text of something else', '"1.0"', `${path} must be an object with version, rules, not "1.0"`],
    ['a missing version', { rules: [] }, `${path}.version must be "1.0", it is missing`],
    ['another version', { version: '2.0', rules: [] }, `${path}.version must be "1.0", not "2.0"`],
    ['a version that is a number', { version: 1, rules: [] }, `${path}.version must be "1.0", not 1`],
    [
      'rules that are no list',
      { version: '1.0', rules: {} },
      `${path}.rules must be a list of rules, not an object`,
    ],
    ['another key', { ...policy(), rule: 1 }, `${path} has unknown keys rule; allowed are version, rules`],
    [
      'a rule that is no object',
      policy(7),
      `${path}.rules[0] must be an object with "type" and "image", not 7`,
    ],
    [
      'an unknown type',
      policy({ type: 'default', image: 'x' }, { type: 'arch', image: 'x' }),
      `${path}.rules[1].type must be "tag_arch", "tag", "task_type" or "default", not "arch"`,
    ],
    [
      'a missing type',
      policy({ image: 'x' }),
      `${path}.rules[0].type must be "tag_arch", "tag", "task_type" or "default", it is missing`,
    ],
    ['a type that is an object', policy({ type: {}, image: 'x' }), `"task_type" or "default", not an object`],
    ['a missing image', policy({ type: 'default' }), `${path}.rules[0].image must be the name of an image`],
    [
      'an image like an option',
      policy({ type: 'default', image: '--rm' }),
      `<arch> may stand for the arch, not "--rm"`,
    ],
    ['an image with a blank', policy({ type: 'default', image: 'a b' }), 'not "a b"'],
    ['an unknown placeholder', policy({ type: 'default', image: 'a:<tag>' }), 'not "a:<tag>"'],
    [
      'an empty tag',
      policy({ type: 'tag', tag: '', image: 'x' }),
      `${path}.rules[0].tag must be a text that is not empty, not ""`,
    ],
    [
      'a key of another kind of rule',
      policy({ type: 'tag', tag: 'a', arch: 'x86_64', image: 'x' }),
      `${path}.rules[0] has unknown keys arch; allowed are type, tag, image, pull_policy, buildroot, network, limits`,
    ],
    [
      'an unknown pull policy',
      policy({ type: 'default', image: 'x', pull_policy: 'missing' }),
      `${path}.rules[0].pull_policy must be "if-not-present", "always" or "never", not "missing"`,
    ],
    [
      'an unknown buildroot',
      policy({ type: 'default', image: 'x', buildroot: 'none' }),
      'must be "tag" or "image", not "none"',
    ],
    [
      'a network that is a text',
      policy({ type: 'default', image: 'x', network: 'yes' }),
      'must be true or false, not "yes"',
    ],
    [
      'limits that are no object',
      policy({ type: 'default', image: 'x', limits: 3 }),
      `limits must be an object with memory, pids, cpus, not 3`,
    ],
    [
      'an unknown limit',
      policy({ type: 'default', image: 'x', limits: { disk: '1g' } }),
      `${path}.rules[0].limits has unknown keys disk; allowed are memory, pids, cpus`,
    ],
    [
      'an unknown unit',
      policy({ type: 'default', image: 'x', limits: { memory: '4q' } }),
      '"512m" or "4g", and at least 4m, not "4q"',
    ],
    [
      'no memory at all',
      policy({ type: 'default', image: 'x', limits: { memory: '0m' } }),
      'memory must be a number of bytes, or a text like "512m" or "4g", and at least 4m',
    ],
    [
      'half a process',
      policy({ type: 'default', image: 'x', limits: { pids: 0.5 } }),
      'must be a whole number, at least 4, not 0.5',
    ],
    [
      'negative processors',
      policy({ type: 'default', image: 'x', limits: { cpus: -1 } }),
      'must be a number, at least 0.01, not -1',
    ],
    [
      'less memory than a container starts with',
      policy({ type: 'default', image: 'x', limits: { memory: '4095k' } }),
      'and at least 4m',
    ],
    [
      'fewer processes than rpmbuild needs',
      policy({ type: 'default', image: 'x', limits: { pids: 3 } }),
      'must be a whole number, at least 4, not 3',
    ],
  ])('refuses %s', (_what, value, message) => {
    expect(() => parse(value)).toThrow(PolicyError);
    expect(() => parse(value)).toThrow(message);
  });

  it('names the tag and every problem, and blames the request', () => {
    const broken = { version: '3', rules: [{ type: 'default' }] };

    expect(() => parse(broken)).toThrow(
      expect.objectContaining({
        blame: 'request',
        message: expect.stringMatching(/^tag f44-build: .*version must be .*; .*rules\[0\]\.image must be /),
      }),
    );
  });
});

describe('a policy of any shape', () => {
  const struct = Object.assign(Object.create(null), { type: 2n ** 60n, limits: [1n] });
  const shapes = [
    null,
    true,
    0,
    2n ** 60n,
    '',
    'text',
    '[]',
    [],
    [null],
    [struct],
    struct,
    Object.create(null),
  ];

  it.each([
    ['policy', (shape: unknown) => shape],
    ['version', (shape: unknown) => ({ version: shape, rules: [] })],
    ['rules', (shape: unknown) => ({ version: '1.0', rules: shape === '[]' ? {} : [shape] })],
    ['setting', (shape: unknown) => ({ version: '1.0', rules: [{ type: 'default', image: shape }] })],
  ])('is refused with the name of the tag, as its %s', (place, policy) => {
    for (const shape of shapes.filter((each) => each !== 'text' || place !== 'setting'))
      expect(() => parseImagePolicy('f44-build', policy(shape))).toThrow(PolicyError);
  });
});

describe('parseImageName', () => {
  it('passes a name and refuses anything else with its key', () => {
    expect(parseImageName('t', 'mock.bootstrap_image', 'fedora:44')).toBe('fedora:44');
    expect(() => parseImageName('t', 'mock.bootstrap_image', 44)).toThrow(
      /^tag t: mock\.bootstrap_image must be the name of an image, .*, not 44$/,
    );
  });
});
