import { describe, expect, it } from 'vitest';
import { mutate, SeededRandom } from './mutator.ts';
import { parsers } from './parsers.ts';

describe('mutate', () => {
  const material = { corpus: [Buffer.from('some input')], words: ['word'] };

  it('makes the same input of the same seed, and others of others', () => {
    const made = (seed: number) => mutate(new SeededRandom(seed), material).toString('hex');

    expect(made(7)).toBe(made(7));
    expect(new Set(Array.from({ length: 50 }, (_, seed) => made(seed))).size).toBeGreaterThan(40);
  });
});

/** Enough to notice a parser that falls over; `npm run fuzz` makes as many as one likes. */
const inputs = 300;

describe.each(Object.entries(parsers))('parser %s', (_name, parser) => {
  it('takes or refuses what its corpus and changed inputs hold, and touches no prototype', async () => {
    const before = Reflect.ownKeys(Object.prototype).length;
    const changed = Array.from({ length: inputs }, (_, seed) => mutate(new SeededRandom(seed), parser));

    for (const input of [...parser.corpus.map((bytes) => Buffer.from(bytes)), Buffer.alloc(0), ...changed]) {
      const outcome = await (async () => parser.parse(input))().then(
        () => 'taken',
        (error: unknown) => (parser.isExpected(error) ? 'refused' : error),
      );
      expect(['taken', 'refused'], input.toString('base64').slice(0, 500)).toContain(outcome);
    }

    expect(Reflect.ownKeys(Object.prototype)).toHaveLength(before);
  });

  it('takes what it is for', async () => {
    const [first] = parser.corpus;

    await expect((async () => parser.parse(Buffer.from(first ?? [])))()).resolves.toBeDefined();
  });
});
