import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  buildArchWeight,
  buildrootArchChoices,
  hostFitsTag,
  pickOne,
  planBuildArches,
  taskArchChoices,
} from './build-arches.ts';
import { RpmBuildError } from './errors.ts';

const Arches = z.string().nullable();
const Outcome = z
  .union([z.array(z.string()), z.object({ code: z.number(), message: z.string() })])
  .nullable();
/** Random questions, with the answers kojid's own code gave. */
const cases = z
  .array(
    z.object({
      tag: z.object({ id: z.number(), name: z.string(), arches: Arches, noarchArches: Arches }),
      source: z.object({
        buildArchs: z.array(z.string()),
        exclusiveArch: z.array(z.string()),
        excludeArch: z.array(z.string()),
      }),
      options: z.object({ extraArches: Arches, scratch: z.boolean(), archOverride: Arches }),
      literalTaskArches: z.string(),
      arch: z.string(),
      host: z.object({ name: z.string(), arches: Arches }),
      preferredArch: Arches,
      expected: z.object({
        buildArches: Outcome,
        taskArches: Outcome,
        buildrootArches: Outcome,
        hostFits: z.boolean().nullable(),
      }),
    }),
  )
  .parse(
    JSON.parse(readFileSync(new URL('../../test/fixtures/rpm/build-arches.json', import.meta.url), 'utf8')),
  );

function outcomeOf(question: () => readonly string[]) {
  try {
    return question();
  } catch (error) {
    if (!(error instanceof RpmBuildError)) throw error;
    return { code: error.faultCode, message: error.message };
  }
}

describe("kojid's table", () => {
  it.each(cases.map((row, number) => ({ number, ...row })))('case $number holds', (row) => {
    const { tag, source, arch, host, expected } = row;

    expect(outcomeOf(() => planBuildArches(tag, source, row.options))).toEqual(expected.buildArches);
    expect(outcomeOf(() => buildrootArchChoices(arch, host, tag, row.preferredArch))).toEqual(
      expected.buildrootArches,
    );
    // Where kojid itself would crash on a null, the table has no answer.
    if (expected.taskArches !== null) {
      expect(outcomeOf(() => taskArchChoices(arch, tag, source, row.literalTaskArches))).toEqual(
        expected.taskArches,
      );
    }
    if (expected.hostFits !== null) expect(hostFitsTag(tag.arches, host.arches)).toBe(expected.hostFits);
  });
});

const tag = { id: 7, name: 'f44-build', arches: 'x86_64 i686 armv7hl' };
const anyArch = { buildArchs: [], exclusiveArch: [], excludeArch: [] };

describe('planBuildArches', () => {
  it('builds for the arches of the tag', () => {
    expect(planBuildArches(tag, anyArch)).toEqual(['x86_64', 'i686', 'armv7hl']);
  });

  it('adds extra arches only where the tag has their canonical arch', () => {
    expect(planBuildArches(tag, anyArch, { extraArches: 'i586 s390x' })).toEqual([
      'x86_64',
      'i686',
      'armv7hl',
      'i586',
    ]);
  });

  it('honours an override for scratch builds only', () => {
    expect(planBuildArches(tag, anyArch, { scratch: true, archOverride: 'i386 s390x' })).toEqual(['i386']);
    expect(planBuildArches(tag, anyArch, { archOverride: 'i386' })).toHaveLength(3);
  });

  it('fails a package that excludes itself', () => {
    expect(() => planBuildArches(tag, { ...anyArch, exclusiveArch: ['s390x'] })).toThrow(
      'No matching arches were found',
    );
  });
});

describe('taskArchChoices', () => {
  it('leaves an unrestricted noarch task to any host', () => {
    expect(taskArchChoices('noarch', tag, null)).toEqual(['noarch']);
  });

  it('keeps noarch tasks away from an excluded arch', () => {
    expect(taskArchChoices('noarch', tag, { ...anyArch, excludeArch: ['i386'] })).toEqual([
      'x86_64',
      'armhfp',
    ]);
  });

  it('matches literal arches as shell patterns', () => {
    expect(taskArchChoices('i686', tag, null, 'i[!5]86')).toEqual(['i686']);
    expect(taskArchChoices('i586', tag, null, 'i[!5]86')).toEqual(['i386']);
    expect(taskArchChoices('i686', tag, null, 'i.86 [')).toEqual(['i386']);
    expect(taskArchChoices('armv7hl', tag, null, 's390x arm*')).toEqual(['armv7hl']);
  });
});

describe('pickOne', () => {
  it('reaches every choice', () => {
    expect([0, 0.5, 0.999].map((number) => pickOne(['a', 'b', 'c'], () => number))).toEqual(['a', 'b', 'c']);
  });

  it('refuses to pick from nothing', () => {
    expect(() => pickOne([], () => 0)).toThrow(RangeError);
  });
});

describe('buildArchWeight', () => {
  it.each([
    [null, null],
    [0, null],
    [-5, null],
    [4800, 2.5],
    [3600, 2.25],
    [86_400, 19.5],
    [1e9, 19.5],
  ])('weighs an average of %s s as %s', (seconds, weight) => {
    expect(buildArchWeight(seconds)).toBe(weight);
  });
});
