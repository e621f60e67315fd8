import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { faultCodes } from '../../src/core/koji-faults.ts';
import { HubTransportError, isFault } from '../../src/hub/faults.ts';
import type { HubUnderTest } from './hub/hub-under-test.ts';
import { callCases } from './hub-faults/cases.ts';
import {
  type CallCase,
  FaultBench,
  type Trouble,
  troubles,
  troublesOfReading,
} from './hub-faults/fault-bench.ts';

/**
 * What becomes of each call that the daemon makes when it meets with trouble: its effect exactly once and the right
 * answer, or, for the few that are given up, an error and no effect at all. `numbered`: the hub compares call numbers.
 */
export function describeHubFaults(
  name: string,
  openHub: () => Promise<HubUnderTest>,
  options: {
    readonly numbered: boolean;
    readonly isReal?: true;
    /** All of them, unless given. */
    readonly cases?: readonly CallCase[];
    readonly troubles?: readonly Trouble[];
  },
): void {
  describe(name, () => {
    let bench: FaultBench;

    beforeAll(async () => {
      bench = await FaultBench.open(await openHub(), options);
    });
    afterEach(async () => {
      bench.calm();
      await bench.fixture.cancelMine();
    });
    afterAll(() => bench?.close());

    for (const one of options.cases ?? callCases) {
      const title = [one.method, ...(one.about === undefined ? [] : [one.about])].join(' ');
      const known = options.isReal === true || one.realHubOnly !== true;
      const troublesHere = options.troubles ?? (one.reads === true ? troublesOfReading : troubles);
      describe.skipIf(!known)(title, () => {
        for (const trouble of troublesHere)
          if (trouble !== 'expired' || one.neverExpired === undefined)
            it(`gets over ${trouble}`, () => getsOver(bench, one, trouble));
      });
    }
  });
}

async function getsOver(bench: FaultBench, one: CallCase, trouble: Trouble): Promise<void> {
  const session = await bench.session({ fastUpload: one.session !== 'plain-upload' });
  const prepared = await one.prepare(bench);
  const before = await prepared.state?.();
  bench.expect(trouble, one.method);
  const call = () => prepared.call(bench.apis(session), session);

  if (one.givenUp?.includes(trouble) === true) {
    await expect(call()).rejects.toSatisfy(isNoAnswer);
    expect(bench.made).toBe(1);
    expect(await prepared.state?.()).toEqual(before);
    // What follows is the other try.
    bench.calm();
  }
  expect(await call()).toEqual(prepared.answer);
  expect(bench.made).toBeGreaterThan(0);
  expect(await prepared.state?.()).toEqual(prepared.after);
}

const isNoAnswer = (error: unknown): boolean =>
  error instanceof HubTransportError || isFault(error, faultCodes.serverOffline);
