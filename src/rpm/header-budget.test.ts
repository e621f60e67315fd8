import { describe, expect, it } from 'vitest';
import {
  filledStrings,
  hostileHeaders,
  minimalTags,
  toRpmWithRawMain,
} from '../../test/support/hostile-headers.ts';
import { type Tags, toHeaderBytes, toRpmBytes } from '../../test/support/rpm-bytes.ts';
import { parseRpmHeader } from './header.ts';
import { headerBudget } from './header-budget.ts';
import { toPackageFacts } from './package-facts.ts';

const signature = toHeaderBytes([[1000, { type: 'int32', values: [7] }]]);
const parse = (tags: Tags) => parseRpmHeader(toRpmBytes(signature, toHeaderBytes(tags)));

describe('a header that is all promises', () => {
  it.each(Object.entries(hostileHeaders))('%s is refused before it is decoded', async (_name, make) => {
    await expect(parseRpmHeader(make())).rejects.toThrow(/elements|strings|type|longer|paths/);
  });

  it('has as many files as a header may, and is read by column', async () => {
    const count = headerBudget.files;
    const bytes = toRpmWithRawMain([
      ...minimalTags,
      [1106, 4, 1, Buffer.from('00000001', 'hex')],
      [1116, 4, count, Buffer.alloc(4 * count)],
      [1117, 8, count, filledStrings('x.spec', count)],
      [1118, 8, 1, Buffer.from('\0')],
    ]);

    const { specs } = toPackageFacts(await parseRpmHeader(bytes));

    expect(specs.count).toBe(count);
    expect(specs.first).toHaveLength(20);
  });

  it('names one long directory for all its files', async () => {
    const count = 20_000;
    const bytes = toRpmWithRawMain([
      ...minimalTags,
      [1116, 4, count, Buffer.alloc(4 * count)],
      [1117, 8, count, filledStrings('x', count)],
      [1118, 8, 1, Buffer.from(`/${'d'.repeat(3000)}/\0`)],
    ]);
    const header = await parseRpmHeader(bytes);

    expect(() => header.files()).toThrow('the paths of its files are too long');
  });
});

describe('the type of a tag', () => {
  it.each([
    ['a directory index of one byte', [1116, { type: 'int8', values: [0] }]],
    ['a mode of four bytes', [1030, { type: 'int32', values: [0] }]],
    ['a name that is a number', [1117, { type: 'int32', values: [0] }]],
  ] as [string, Tags[number]][])('is that of rpm: not %s', async (_name, tag) => {
    const tags: Tags = [
      [1000, { type: 'string', values: ['tiny'] }],
      [1001, { type: 'string', values: ['1'] }],
      [1002, { type: 'string', values: ['2'] }],
      [1022, { type: 'string', values: ['noarch'] }],
      tag,
    ];

    await expect(parse(tags)).rejects.toThrow(`tag ${tag[0]} has type`);
  });
});
