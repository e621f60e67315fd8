import { describe, expect, it } from 'vitest';
import { stateFacts, withoutChance } from './file-facts.ts';
import { differences, type TaskOutcome, withoutIds } from './outcome.ts';
import { makePlan, type Plan } from './plan.ts';
import { doubledIn } from './run-plan.ts';
import { Trouble } from './trouble.ts';

const outcome = (more: Partial<TaskOutcome> = {}): TaskOutcome => ({
  method: 'build',
  label: null,
  state: 2,
  result: 'null',
  children: [],
  files: [{ name: 'a.log', content: 'one\ntwo' }],
  ...more,
});

describe('makePlan', () => {
  it('is the same for the same seed, and has as many faults as were asked for', () => {
    const plan = makePlan(4, 50, 40);

    expect(plan).toEqual(makePlan(4, 50, 40));
    expect(plan).not.toEqual(makePlan(5, 50, 40));
    expect(plan.tasks).toHaveLength(50);
    expect(plan.mishaps.length + plan.blows.length).toBe(40);
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

  it('finds a line of a log that is missing or comes twice', () => {
    const log = (content: string) => outcome({ files: [{ name: 'build.log', content }] });

    expect(differences(log('a\nb\nc'), log('a\nb\nb\nc'))).toEqual([
      'build: build.log has "b" in line 3 of 4; undisturbed "c" of 3',
    ]);
    expect(differences(log('a\nb'), log('a'))).toEqual([
      'build: build.log has its end in line 2 of 1; undisturbed "b" of 2',
    ]);
    expect(differences(log('a'), log('a\nb'))).toEqual([
      'build: build.log has "b" in line 2 of 2; undisturbed its end of 1',
    ]);
  });

  it('sees through ids, names of temporary files and the order of threads', () => {
    expect(withoutIds('["tasks/12/10012", 7]')).toBe('["tasks/N/N", N]');
    expect(withoutChance('sh /var/tmp/rpm-tmp.aB3x9Z')).toBe('sh /var/tmp/rpm-tmp.X');
    expect(withoutChance('a\nWrote: y\nWrote: x\nb\n')).toBe('a\nWrote: x\nWrote: y\nb\n');
  });
});

describe('stateFacts', () => {
  it('leaves out what was prepared, and tells steps without an end', () => {
    const line = (text: string) => `2026-01-01 00:00:00,000 - ${text}\n`;
    const whole = [
      'Start: fetch packages for @build',
      'Finish: fetch packages for @build',
      'Start: rpmbuild',
      'Finish: rpmbuild',
    ];

    expect(stateFacts(whole.map(line).join(''))).toBe('Start: rpmbuild\nFinish: rpmbuild');
    expect(stateFacts(whole.slice(0, 3).map(line).join(''))).toBe(
      'rpmbuild has begun 1 times, ended 0\nStart: rpmbuild',
    );
  });
});

describe('doubledIn', () => {
  it('counts what was done again without being given back', () => {
    const refused = '{"taskId":5,"msg":"task refused after opening"}';
    const ends = new Map([
      [5, 2],
      [6, 2],
      [7, 1],
    ]);

    expect(doubledIn(ends, refused)).toEqual(['task 6: 2 times, given back 0 times']);
  });
});

describe('Trouble', () => {
  const call = (method: string) => ({ method, params: [], keywords: {}, file: null });
  const kill = (method: string) => ({ kind: 'kill', method, when: 'reply' }) as const;

  function trouble(plan: Partial<Plan>) {
    const done: string[] = [];
    const clock = { nowMs: 0 };
    const dealt = new Trouble({ tasks: [], blows: [], mishaps: [], ...plan }, 1, {
      killDaemon: () => done.push(`kill at ${clock.nowMs}`),
      restartEngine: () => done.push('engine'),
      fillDisk: () => done.push('disk'),
      setClock: () => done.push('clock'),
      nowMs: () => clock.nowMs,
    });
    dealt.deal(100);
    return { dealt, done, clock };
  }

  it('strikes when a step passes, after a rest, and gives up a step that does not come', () => {
    const { dealt, done, clock } = trouble({
      blows: [kill('host.repoDone'), kill('host.openTask'), { kind: 'disk' }],
    });

    dealt.onReply(call('host.openTask'));
    clock.nowMs = 3000;
    dealt.onRequest(call('host.openTask'));
    dealt.onReply(call('host.openTask'));
    clock.nowMs = 4000;
    dealt.onReply(call('host.repoDone'));
    clock.nowMs = 10_000;
    dealt.tick();
    clock.nowMs = 13_000;
    dealt.tick();

    expect(done).toEqual(['kill at 3000', 'kill at 10000', 'disk']);
    expect(dealt.left).toBe(0);
    expect(dealt.strayed).toEqual(['kill at host.repoDone reply']);
    expect(Object.fromEntries(dealt.done)).toEqual({ 'daemon killed': 2, 'disk full': 1 });
  });

  it('deals no more than it is asked for', () => {
    const any = { method: null, kind: 'offline' } as const;
    const { dealt } = trouble({ mishaps: [any, any, any] });
    const calls = () => {
      for (let count = 0; count < 100; count += 1) dealt.onRequest(call('echo'));
      return dealt.total;
    };

    dealt.deal(2);
    expect(calls()).toBe(2);
    dealt.deal(3);
    expect(calls()).toBe(3);
    dealt.stop();
    expect(dealt.left).toBe(0);
  });

  it('keeps a mishap for its call, until there is a hurry', () => {
    const { dealt } = trouble({ mishaps: [{ method: 'login', kind: 'lost-reply' }] });
    const callMany = (method: string) =>
      Array.from({ length: 100 }, () => dealt.onRequest(call(method))).filter((mishap) => mishap !== null);

    expect(callMany('echo')).toEqual([]);
    dealt.hurry();
    expect(callMany('echo')).toEqual(['lost-reply']);
    expect(dealt.strayed).toEqual(['lost-reply of login']);
  });
});
