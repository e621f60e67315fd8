import { describe, expect, it } from 'vitest';
import { BuilderError, describeError, hasErrorCode } from './errors.ts';

class Special extends BuilderError {}

describe('BuilderError', () => {
  it('has the name of its class, a code, a blame and a cause', () => {
    const cause = new Error('deep');

    const error = new Special('host-lacks', 'request', 'text', { cause });

    expect(error).toMatchObject({
      name: 'Special',
      code: 'host-lacks',
      blame: 'request',
      message: 'text',
      cause,
    });
  });

  it('fails a task unless its class says otherwise, by whose fault it is', () => {
    expect(new Special('host-lacks', 'request', 'text')).toMatchObject({
      disposition: 'fail',
      faultCode: 1000,
    });
    expect(new Special('host-lacks', 'package', 'text')).toMatchObject({
      disposition: 'fail',
      faultCode: 1005,
    });
  });

  it('has a code that is declared, wherever it is written', () => {
    // @ts-expect-error A code that nobody has declared.
    const error = new Special('host-lakcs', 'request', 'text');

    // @ts-expect-error So does one that is asked for.
    expect(hasErrorCode(error, 'host-lacsk')).toBe(false);
    expect(hasErrorCode(error, 'host-lacks')).toBe(false);
    expect(hasErrorCode(new Error('text'), 'host-lacks')).toBe(false);
    expect(hasErrorCode(new Special('host-lacks', 'request', 'text'), 'timeout', 'host-lacks')).toBe(true);
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
