import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { keptLog } from '../../test/support/silent-log.ts';
import { BackgroundRemovals } from '../container/background-removals.ts';
import type { FakeBehaviour } from '../container/fake/behaviour.ts';
import { FakeRuntime } from '../container/fake/fake-runtime.ts';
import type { ContainerSpec } from '../container/spec.ts';
import { never } from '../core/never.ts';
import { noWaits } from '../core/waits.ts';
import { type History, noHistory } from '../journal/history.ts';
import { TaskSteps } from './task-steps.ts';

const image = 'localhost/image:1';

function specOf(name: string): ContainerSpec {
  return {
    name,
    root: { kind: 'image', image },
    command: ['/bin/true'],
    env: {},
    workdir: '/',
    user: { uid: 0, gid: 0 },
    capabilities: [],
    isolation: 'plain',
    network: 'none',
    hostname: 'h',
    mounts: [],
    limits: { pids: 1 },
    owner: { workerId: 'w', taskId: 1, phase: 'createrepo', attempt: 1 },
    labels: {},
  };
}

/** Resumes a task whose step was under way: it had written this much, which ended so. */
function underWay(writtenBytes: number, tail: string): History {
  return {
    ...noHistory,
    resumed: true,
    phase: async (_id, { make, work }) =>
      work(await make(), { startedMs: new ManualClock().uptime(), writtenBytes, tail: Buffer.from(tail) }),
  };
}

async function setUp(behaviour: FakeBehaviour = {}, history: History = noHistory) {
  const clock = new ManualClock();
  const images = { [image]: { id: 'i', digest: 'sha256:0', arch: 'x86_64' } };
  const runtime = new FakeRuntime({ clock, images, behave: () => behaviour });
  await runtime.images.ensure(image, 'never', never);
  const { log, lines } = keptLog();
  const cleanup = new AsyncDisposableStack();
  const removals = new BackgroundRemovals(log);
  const steps = new TaskSteps({ runtime, history, cleanup, removals, clock, waits: noWaits, log });
  const written: string[] = [];
  const sink = {
    write: async (bytes: Uint8Array | string) => void written.push(Buffer.from(bytes).toString()),
  };
  const step = {
    id: 'createrepo',
    title: 'createrepo',
    container: specOf('one'),
    log: { name: 'createrepo.log', sink },
    seconds: 0,
  } as const;
  const ofImage = {
    id: 'createrepo',
    title: 'createrepo',
    spec: specOf('one'),
    log: step.log,
    timeLimit: { option: 'createrepo_timeout', seconds: 60 },
    image,
    fills: ['/work'],
    removal: 'later',
  } as const;
  return { clock, runtime, steps, cleanup, removals, lines, written, step, ofImage };
}

function saying(text: string, code: number): FakeBehaviour {
  return {
    async main(process) {
      process.write(text);
      return code;
    },
  };
}

describe('TaskSteps.run', () => {
  it('gives any exit code as a value, with the end of the output, and leaves the container to the clean-up', async () => {
    const { steps, step, written, runtime, cleanup } = await setUp(saying('done\n', 3));

    const { code, end, limit } = await steps.run(step, never);

    expect([code, end.toString(), limit, written.join('')]).toEqual([3, 'done\n', null, 'done\n']);
    expect(runtime.calls).not.toContain('remove one');
    await cleanup.disposeAsync();
    runtime.assertClean();
  });

  it('runs a step once for all who ask for it while it runs', async () => {
    const { steps, step, runtime, cleanup } = await setUp();

    const ends = await Promise.all([steps.run(step, never), steps.run(step, never)]);

    expect(ends[0]).toBe(ends[1]);
    expect(runtime.calls.filter((call) => call === 'start one')).toHaveLength(1);
    await cleanup.disposeAsync();
  });

  it('refuses another container under the id of a step that runs', async () => {
    const { steps, step, cleanup } = await setUp();
    const running = steps.run(step, never);

    expect(() => steps.run({ ...step, container: specOf('two') }, never)).toThrow(
      'step createrepo runs in one, and was to run in two as well',
    );
    await running;
    await cleanup.disposeAsync();
  });

  it('takes over the container of a previous run, and reads on where that had come to', async () => {
    const bench = await setUp(saying('one two\n', 0), underWay(4, 'one '));
    const { steps, step, runtime, written, lines, cleanup } = bench;
    await (await runtime.create(specOf('one'), never)).start(never);

    const { code, end } = await steps.run(step, never);

    expect([code, written.join(''), end.toString()]).toEqual([0, 'two\n', 'one two\n']);
    expect(lines).toMatchObject([
      { msg: 'resumed a running container', step: 'createrepo', writtenBytes: 4 },
    ]);
    expect(runtime.created).toHaveLength(1);
    await cleanup.disposeAsync();
  });

  it('gives up where that container is gone', async () => {
    const { steps, step, cleanup } = await setUp({}, underWay(4, 'one '));

    await expect(steps.run(step, never)).rejects.toMatchObject({ code: 'no-such-container' });
    await cleanup.disposeAsync();
  });

  it('counts the time that a previous run has used', async () => {
    const { steps, step, runtime, clock, cleanup } = await setUp(
      { runMs: Number.POSITIVE_INFINITY },
      underWay(0, ''),
    );
    await (await runtime.create(specOf('one'), never)).start(never);
    await clock.advance(59_000);

    const running = steps.run({ ...step, seconds: 60 }, never);
    await clock.asleep(1000);
    await clock.advance(1000);

    expect(await running).toMatchObject({ timedOut: true });
    await cleanup.disposeAsync();
  });
});

describe('TaskSteps.runOfImage', () => {
  it('says of a step that comes to no end that its time is over', async () => {
    const { steps, ofImage, clock, cleanup } = await setUp({ runMs: Number.POSITIVE_INFINITY });
    const running = steps.runOfImage(ofImage, never);
    const failing = expect(running).rejects.toMatchObject({ code: 'step-timed-out' });
    await clock.asleep(60_000);
    await clock.advance(60_000);

    await failing;
    await cleanup.disposeAsync();
  });

  it.each([
    [127, 'bash: line 1: /usr/bin/createrepo_c: not found\n', 'image-program-failed'],
    [126, '/bin/bash: /adjutant/in/createrepo.sh: Permission denied\n', 'step-not-begun'],
  ])('blames image or host for status %i and %j', async (status, said, code) => {
    const { steps, ofImage, cleanup } = await setUp(saying(said, status));

    await expect(steps.runOfImage(ofImage, never)).rejects.toMatchObject({ code });
    await cleanup.disposeAsync();
  });

  it.each([
    [true, 'disk-full'],
    [false, null],
  ])(
    'believes what it says of a full disk only when the host is short of room (%s)',
    async (lacksRoom, code) => {
      const { steps, ofImage, runtime, cleanup } = await setUp(saying('No space left on device\n', 1));
      runtime.isFull = lacksRoom;

      const ending = steps.runOfImage(ofImage, never).then(
        () => null,
        (error: { readonly code: string }) => error.code,
      );

      expect(await ending).toBe(code);
      await cleanup.disposeAsync();
    },
  );

  it('keeps a container that is removed later until others are more urgent no more', async () => {
    const { steps, ofImage, runtime, removals, cleanup } = await setUp();
    await steps.runOfImage(ofImage, never);
    expect(runtime.calls).not.toContain('remove one');

    steps.containers.removeEnded();
    await removals.idle();

    expect(runtime.calls).toContain('remove one');
    await cleanup.disposeAsync();
  });
});

describe('TaskSteps.read', () => {
  it('gives as much of the output as is wanted, and says when there was more', async () => {
    const { steps, cleanup } = await setUp(saying('12345', 0));
    const read = (name: string, mostBytes: number) =>
      steps.read({ title: 'list', spec: specOf(name), seconds: 60, mostBytes }, never);

    const [all, cut] = [await read('one', 5), await read('two', 4)];

    expect([all.output.text, all.output.isCut]).toEqual(['12345', false]);
    expect([cut.output.text, cut.output.isCut]).toEqual(['1234', true]);
    await cleanup.disposeAsync();
  });

  it('reads from the first byte again what a previous run has begun', async () => {
    const { steps, runtime, cleanup } = await setUp(saying('12345', 0), { ...noHistory, resumed: true });
    await (await runtime.create(specOf('one'), never)).start(never);

    const { output } = await steps.read(
      { title: 'list', spec: specOf('one'), seconds: 60, mostBytes: 9 },
      never,
    );

    expect(output.text).toBe('12345');
    expect(runtime.created).toHaveLength(1);
    await cleanup.disposeAsync();
  });
});
