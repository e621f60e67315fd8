import { expect, it } from 'vitest';
import { whyNoFileName } from './file-name.ts';

it.each(['a', '...', '.a', '-', 'perl(Foo::Bar)', 'a b', 'ü'.repeat(127), '~', 'C:\\x'])(
  'takes %j',
  (text) => {
    expect(whyNoFileName(text)).toBeNull();
  },
);

it.each([
  ['', 'is empty'],
  ['.', 'stands for a directory'],
  ['..', 'stands for a directory'],
  ['a/b', 'has a slash'],
  ['/', 'has a slash'],
  ['a\0', 'has control characters, or bytes that are not UTF-8'],
  ['a\nb', 'has control characters, or bytes that are not UTF-8'],
  ['\x9b', 'has control characters, or bytes that are not UTF-8'],
  ['a\u202eb', 'has control characters, or bytes that are not UTF-8'],
  ['\udcff', 'has control characters, or bytes that are not UTF-8'],
  ['ü'.repeat(128), 'has 256 bytes, 255 are the most'],
])('says of %j that it %s', (text, problem) => {
  expect(whyNoFileName(text)).toBe(problem);
});
