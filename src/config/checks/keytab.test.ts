import { describe, expect, it } from 'vitest';
import { keytab, keytabEntry } from '../../../test/support/keytab-bytes.ts';
import { KeytabError, keytabPrincipals, keytabProblem } from './keytab.ts';

const both = keytab(
  keytabEntry('EXAMPLE.COM', 'compile', 'b1.example.com'),
  keytabEntry('EXAMPLE.COM', 'compile', 'b1.example.com'),
  keytabEntry('OTHER.ORG', 'kojibuilder'),
);

describe('keytabPrincipals', () => {
  it('names each principal once', () => {
    expect(keytabPrincipals(both)).toEqual(['compile/b1.example.com@EXAMPLE.COM', 'kojibuilder@OTHER.ORG']);
  });

  it('steps over the holes that removed entries leave', () => {
    const hole = Buffer.alloc(4 + 30);
    hole.writeInt32BE(-30);

    expect(keytabPrincipals(keytab(hole, keytabEntry('R', 'a')))).toEqual(['a@R']);
  });

  it('stops at the end that an entry of no length marks', () => {
    expect(keytabPrincipals(keytab(keytabEntry('R', 'a'), Buffer.alloc(4), keytabEntry('R', 'b')))).toEqual([
      'a@R',
    ]);
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'is not a keytab'],
    ['a text', Buffer.from('[libdefaults]'), 'is not a keytab'],
    ['one that ends within an entry', both.subarray(0, both.length - 3), 'is cut off'],
    ['a name longer than its entry', keytab(Buffer.from('000000060001ffff0000', 'hex')), 'is cut off'],
    ['an entry of one byte', keytab(Buffer.from('0000000100', 'hex')), 'is cut off'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => keytabPrincipals(bytes)).toThrow(new KeytabError(message));
  });
});

describe('keytabProblem', () => {
  it.each([
    [both, null, null],
    [both, 'compile/b1.example.com@EXAMPLE.COM', null],
    [both, 'kojibuilder', null],
    [
      both,
      'koji',
      'holds no key of koji, but of compile/b1.example.com@EXAMPLE.COM, kojibuilder@OTHER.ORG; ',
    ],
    [both, 'kojibuilder@EXAMPLE.COM', 'holds no key of kojibuilder@EXAMPLE.COM, but of '],
    [keytab(), null, 'holds no key; fetch it again'],
    [Buffer.from('x'), null, 'is not a keytab; fetch it again'],
  ])('of %o for %s', (bytes, principal, problem) => {
    const found = keytabProblem(bytes, principal);

    if (problem === null) expect(found).toBeNull();
    else expect(found).toContain(problem);
  });
});
