import { expect, it } from 'vitest';
import { judgeTrust } from './check-trust.ts';

it('says how many authorities count, and what is wrong with the others', () => {
  expect(
    judgeTrust({
      certificates: ['a', 'b'],
      sources: ['/etc/ca.crt'],
      problems: ['certificate 3 is damaged'],
    }),
  ).toEqual([
    { level: 'ok', what: 'trust store', found: '2 authorities of /etc/ca.crt', remedy: null },
    {
      level: 'warn',
      what: 'trust store',
      found: 'certificate 3 is damaged',
      remedy: expect.stringContaining('update-ca'),
    },
  ]);
});

it('warns of a host that trusts none', () => {
  expect(judgeTrust({ certificates: [], sources: [], problems: [] })).toEqual([
    { level: 'warn', what: 'trust store', found: expect.stringContaining('no authority'), remedy: null },
  ]);
});
