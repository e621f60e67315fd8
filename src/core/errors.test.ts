import { describe, expect, it } from 'vitest';
import { BuilderError, describeError } from './errors.ts';

class Special extends BuilderError {}

describe('BuilderError', () => {
  it('has the name of its class, a code, a blame and a cause', () => {
    const cause = new Error('deep');

    const error = new Special('some-code', 'request', 'text', { cause });

    expect(error).toMatchObject({
      name: 'Special',
      code: 'some-code',
      blame: 'request',
      message: 'text',
      cause,
    });
  });
});

describe('describeError', () => {
  it('joins an error and its causes', () => {
    const error = new Error('a', { cause: new Error('b', { cause: 'c' }) });

    expect(describeError(error)).toBe('a: b: c');
  });

  it('leaves out what the text has said already', () => {
    const error = new Error('cannot read: gone', { cause: new Error('gone') });

    expect(describeError(error)).toBe('cannot read: gone');
  });

  it('names an error without text, and shows what is no error', () => {
    expect(describeError(new TypeError())).toBe('TypeError');
    expect(describeError('text')).toBe('text');
    expect(describeError(undefined)).toBe('');
  });

  it('ends for causes that go in a circle', () => {
    const error = new Error('x');
    error.cause = error;

    expect(describeError(error)).toBe('x');
  });
});
