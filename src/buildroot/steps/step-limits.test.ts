import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RootPlay } from '../../../test/support/fake-root.ts';
import { failureOf, openRootBench } from '../../../test/support/root-bench.ts';
import { keptLog } from '../../../test/support/silent-log.ts';
import { ContainerError } from '../../container/errors.ts';
import { outcomeOf } from '../../daemon/run/outcome.ts';

const stepLimits = { solveSeconds: 600, installSeconds: 1800, createrepoSeconds: 0 };
const always = () => true;
const first = (attempt: number) => attempt === 1;

/** A root whose steps have time limits, and what the builder's log says. */
async function openBench(play: RootPlay) {
  const { log, lines } = keptLog();
  const bench = await openRootBench({ solve: () => ['bash'], ...play }, { stepLimits, log });
  return { ...bench, lines };
}

describe('a solve that does not end', () => {
  it('is killed when its time is over, with a look at it in the log, and tried once more in a container of its own', async () => {
    const { clock, prepare, created, lines, logs, directory } = await openBench({ solveHangs: first });
    const preparing = prepare();
    await clock.asleep(600_000);
    await mkdir(join(directory, 'solve/cache'), { recursive: true });
    await writeFile(join(directory, 'solve/cache/half'), '');
    await clock.advance(600_000);

    expect((await preparing).installed).toHaveLength(1);
    expect(created()).toEqual(['solve-1', 'solve-2', 'root-1', 'install-1', 'list-1']);
    // What the first has left of the repo's metadata may be half of it.
    expect(existsSync(join(directory, 'solve/cache/half'))).toBe(false);
    expect(lines).toMatchObject([
      {
        taskId: 5,
        msg: 'choose packages for @build has not ended within 600 s and is killed',
        seen: 'running',
      },
      {
        taskId: 5,
        msg: expect.stringMatching(
          /^choose packages for @build did not end within 600 s .*: trying once more$/,
        ),
      },
    ]);
    expect(logs.texts.root).toContain(
      'choose packages for @build is tried once more: choose packages for @build did not end within 600 s',
    );
  });

  it('sends the task to another host when it does not end on its second try either', async () => {
    const { clock, prepare, created } = await openBench({ solveHangs: always });
    const failing = failureOf(prepare());
    await clock.asleep(600_000);
    await clock.advance(600_000);
    await clock.asleep(600_000);
    await clock.advance(600_000);

    const failure = await failing;
    expect(failure).toMatchObject({ code: 'step-timed-out', blame: 'builder' });
    expect(outcomeOf(failure)).toEqual({
      kind: 'refuse',
      soft: true,
      message: expect.stringMatching(
        /^choose packages for @build did not end within 600 s \(solve_timeout\) and was killed: this host/,
      ),
    });
    expect(created()).toEqual(['solve-1', 'solve-2']);
  });
});

describe('an install that does not end', () => {
  it('is killed when its time is over, and tried once more in a fresh root', async () => {
    const { clock, prepare, created } = await openBench({ installHangs: first });
    const preparing = prepare();
    await clock.asleep(1_800_000);
    await clock.advance(1_800_000);

    expect((await preparing).installed).toHaveLength(1);
    expect(created()).toEqual(['solve-1', 'root-1', 'install-1', 'root-2', 'install-2', 'list-2']);
  });

  it('fails the task at the blame of the builder after its second try', async () => {
    const { clock, prepare } = await openBench({ installHangs: always });
    const failing = failureOf(prepare());
    await clock.asleep(1_800_000);
    await clock.advance(1_800_000);
    await clock.asleep(1_800_000);
    await clock.advance(1_800_000);

    const failure = await failing;
    expect(failure).toMatchObject({ blame: 'builder' });
    expect(outcomeOf(failure)).toMatchObject({
      kind: 'fail',
      code: 1012,
      message: expect.stringContaining('(install_timeout)'),
    });
  });
});

describe('a step whose end the engine does not notice', () => {
  it.each(['solve', 'install'] as const)('is tried once more: %s', async (phase) => {
    const { containers, prepare, created } = await openBench({});
    const create = containers.create.bind(containers);
    let isLost = false;
    containers.create = async (spec, signal) => {
      const container = await create(spec, signal);
      if (spec.owner.phase !== phase || isLost) return container;
      isLost = true;
      container.wait = () => Promise.reject(new ContainerError('end-unseen', 'its monitor is gone'));
      return container;
    };

    expect((await prepare()).installed).toHaveLength(1);

    expect(created()).toEqual(
      phase === 'solve'
        ? ['solve-1', 'solve-2', 'root-1', 'install-1', 'list-1']
        : ['solve-1', 'root-1', 'install-1', 'root-2', 'install-2', 'list-2'],
    );
  });
});

describe('what a root waits for', () => {
  it('is known while it does: the end of a container, and what is seen of that', async () => {
    const { clock, prepare, bench, cleanup, containers } = await openBench({ solveHangs: first });
    const { waits } = bench;
    const preparing = prepare();
    await clock.asleep(600_000);
    await clock.advance(12_000);

    expect(await waits.list(5)).toEqual([
      {
        what: expect.stringMatching(/^the end of container \S+-5-9-solve-1 \(choose packages for @build\)$/),
        ms: 12_000,
        details: 'running',
      },
    ]);
    await clock.advance(588_000);
    await preparing;
    expect(await waits.list(5)).toEqual([]);
    await cleanup.disposeAsync();
    expect(containers.created.length).toBeGreaterThan(0);
  });

  it('is known while it does: the same root, made by another task', async () => {
    const one = await openBench({ installHangs: always });
    const other = await openRootBench({ solve: () => ['bash'] }, { on: one.bench, stepLimits });
    const making = failureOf(one.prepare());
    await one.clock.asleep(1_800_000);
    const waiting = other.prepare();
    await expect
      .poll(async () => (await other.bench.waits.list(6)).map(({ what }) => what))
      .toEqual(['the same root (@build), made by task 5']);
    await one.clock.advance(1_800_000);
    await one.clock.asleep(1_800_000);
    await one.clock.advance(1_800_000);
    await making;

    await waiting;
    expect(await other.bench.waits.list(6)).toEqual([]);
  });
});

describe('the limits of disk and output', () => {
  it('hold for steps that solve and install, as scriptlets are package code', async () => {
    const codeLimits = { diskBytes: 1000, logBytes: 2000, idleMs: 3000 };
    const { prepare, spec } = await openRootBench({ solve: () => ['bash'] }, { codeLimits });
    await prepare();

    for (const name of ['solve-1', 'install-1'])
      expect(spec(name)?.limits).toEqual({ pids: 10, diskBytes: 8 * 2 ** 30 + 1000, logBytes: 2000 });
  });
});
