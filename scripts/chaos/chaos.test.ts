import { describe, expect, it } from 'vitest';
import { describeFile, differences, type TaskOutcome, withoutIds } from './outcome.ts';
import { makePlan } from './plan.ts';
import { Trouble } from './trouble.ts';

const outcome = (more: Partial<TaskOutcome> = {}): TaskOutcome => ({
  ...{ method: 'build', label: null, state: 2, result: 'null', files: ['a.log'], children: [] },
  ...more,
});

describe('makePlan', () => {
  it('is the same for the same seed, and has as many faults as were asked for', () => {
    const plan = makePlan(4, 50, 40);

    expect(plan).toEqual(makePlan(4, 50, 40));
    expect(plan).not.toEqual(makePlan(5, 50, 40));
    expect(plan.tasks).toHaveLength(50);
    expect(plan.mishaps + plan.blows.length).toBe(40);
  });

  it('has a build in it, however short it is', () => {
    for (let seed = 0; seed < 30; seed += 1)
      expect(makePlan(seed, 2, 0).tasks.map(({ kind }) => kind)).toContain('build');
  });
});

describe('differences', () => {
  it('finds none between the same', () => {
    expect(differences(outcome(), outcome())).toEqual([]);
  });

  it('finds another state, result, file and number of children, also below', () => {
    const wanted = outcome({ children: [outcome({ label: 'x86_64' })] });

    expect(differences(wanted, outcome({ state: 5, result: 'x', files: [] }))).toHaveLength(4);
    expect(differences(wanted, outcome({ children: [outcome({ label: 'x86_64', state: 5 })] }))).toEqual([
      'build/x86_64: state is 5, undisturbed 2',
    ]);
  });

  it('sees through ids, and into files that are always the same', () => {
    expect(withoutIds('["tasks/12/10012", 7]')).toBe('["tasks/N/N", N]');
    expect(describeFile('build.log', () => Buffer.from('a'))).toBe('build.log');
    expect(describeFile('x-primary.xml.gz', () => Buffer.from('a'))).not.toBe(
      describeFile('x-primary.xml.gz', () => Buffer.from('b')),
    );
  });
});

describe('Trouble', () => {
  it('strikes when the step passes, after a rest, and gives up a step that does not come', () => {
    const done: string[] = [];
    let now = 0;
    const hands = {
      killDaemon: () => done.push(`kill at ${now}`),
      restartEngine: () => done.push('engine'),
      fillDisk: () => done.push('disk'),
      nowMs: () => now,
    };
    const kill = { kind: 'kill', method: 'host.openTask', when: 'reply' } as const;
    const trouble = new Trouble({ tasks: [], blows: [kill, kill, { kind: 'disk' }], mishaps: 0 }, 1, hands);
    const call = { method: 'host.openTask', params: [], keywords: {}, file: null };

    trouble.onReply(call);
    now = 3000;
    trouble.onRequest(call);
    trouble.onReply(call);
    now = 4000;
    trouble.onReply(call);
    now = 10_000;
    trouble.tick();
    now = 13_000;
    trouble.tick();

    expect(done).toEqual(['kill at 3000', 'kill at 10000', 'disk']);
    expect(trouble.left).toBe(0);
    expect(Object.fromEntries(trouble.done)).toEqual({ 'daemon killed': 2, 'disk full': 1 });
  });
});
