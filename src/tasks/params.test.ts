import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { TaskFault } from './errors.ts';
import { decodeParams, flag, optional, type TaskSignature } from './params.ts';

const signature: TaskSignature<{ tag: string; n: number | null; deep: { ids: number[] } | null }> = {
  names: ['tag', 'n', 'deep'],
  schema: z.object({
    tag: z.string(),
    n: optional(z.int()),
    deep: optional(z.object({ ids: z.array(z.int()) })),
  }),
};
const decode = (...request: RpcValue[]) => decodeParams('paint', signature, request);
const fault = (...request: RpcValue[]): unknown => {
  try {
    return decode(...request);
  } catch (error) {
    return error;
  }
};

describe('decodeParams', () => {
  it.each<[string, RpcValue[]]>([
    ['by position', ['t', 7, { ids: [1] }]],
    ['by position and keyword', ['t', { __starstar: true, n: 7, deep: { ids: [1] } }]],
    ['by keyword alone', [{ __starstar: true, deep: { ids: [1] }, n: 7, tag: 't' }]],
    ['in one struct with the method', [{ __method__: 'paint', tag: 't', n: 7, deep: { ids: [1] } }]],
  ])('reads parameters %s', (_how, request) => {
    expect(decode(...request)).toEqual({ tag: 't', n: 7, deep: { ids: [1] } });
  });

  it.each<[string, RpcValue[]]>([
    ['left out', ['t']],
    ['nil', ['t', null, null]],
    ['left out among keywords', [{ __starstar: true, tag: 't' }]],
  ])('takes an optional parameter that is %s for null', (_how, request) => {
    expect(decode(...request)).toEqual({ tag: 't', n: null, deep: null });
  });

  it('keeps a last struct without marker as the parameter it is', () => {
    expect(decode('t', null, { ids: [] })).toEqual({ tag: 't', n: null, deep: { ids: [] } });
  });

  it.each<[string, RpcValue[], string]>([
    ['too many', ['t', 1, null, 2], 'takes at most 3 parameters, 4 were given'],
    ['one too many beside keywords', ['t', 1, null, 2, { __starstar: true }], 'takes at most 3 parameters'],
    ['an unknown name', ['t', { __starstar: true, colour: 'red' }], "has no parameter 'colour'"],
    ['an unknown name with the method', [{ __method__: 'paint', tag: 't', x: 1 }], "has no parameter 'x'"],
    ['a name twice', ['t', { __starstar: true, tag: 'u' }], "got parameter 'tag' twice"],
    ['a required one left out', [], 'parameter tag: '],
    ['a required one left out of a struct', [{ __method__: 'paint' }], 'parameter tag: '],
    ['nil for a required one', [null], 'parameter tag: '],
    ['another type', ['t', 'seven'], 'parameter n: '],
    ['a fraction for a whole number', ['t', 1.5], 'parameter n: '],
    ['another type deep inside', ['t', 1, { ids: [1, 'x'] }], 'parameter deep.ids.1: '],
    ['a name every object has', ['t', { __starstar: true, toString: 1 }], "has no parameter 'toString'"],
  ])('refuses %s with fault 1019', (_what, request, message) => {
    const error = fault(...request);

    expect(error).toBeInstanceOf(TaskFault);
    expect(error).toMatchObject({
      faultCode: 1019,
      message: expect.stringContaining('Invalid parameters for task paint: '),
    });
    expect(error).toMatchObject({ message: expect.stringContaining(message) });
  });

  it('passes further parameters over where the signature says so', () => {
    const open: TaskSignature<unknown> = { names: [], rest: true, schema: z.looseObject({}) };

    expect(() => decodeParams('default', open, [1, 'x', { __starstar: true, y: 2 }])).not.toThrow();
  });
});

describe('flag', () => {
  it.each([
    [true, true],
    [false, false],
    [1, true],
    [0, false],
  ])('reads %j as %j, as Python would', (given, meant) => {
    expect(flag.parse(given)).toBe(meant);
  });

  it.each(['true', '', null, []])('refuses %j', (given) => {
    expect(flag.safeParse(given).success).toBe(false);
  });
});
