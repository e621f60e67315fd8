import { describe, expect, it } from 'vitest';
import { tagRow } from '../../../test/support/hub-rows.ts';
import { TagInfo } from '../../hub/api/schema.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { tagArches } from './tag-arches.ts';

const arches = (value: RpcValue) =>
  tagArches(TagInfo.parse(tagRow({ extra: { noarch_arches: value } }))).noarchArches;

describe('noarch_arches', () => {
  it.each([
    ['x86_64 i386', 'x86_64 i386'],
    ['', null],
    [null, null],
    [[], null],
    [false, null],
  ])('%j is %j', (value, read) => {
    expect(arches(value)).toBe(read);
  });

  it.each([[['x86_64']], 1, true, { x86_64: true }])('that is %j fails the task', (value) => {
    expect(() => arches(value)).toThrow('tag extra noarch_arches of f1-build: must be arches separated');
  });
});
