import { spawn } from 'node:child_process';
import { z } from 'zod';
import { faultCodes } from '../../core/koji-faults.ts';
import { defineTask } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { optional } from '../params.ts';

/** Koji's own test tasks (`koji/tasks.py`), for trying out hub and builder without a package. */

export const sleep = defineTask({
  methods: ['sleep'],
  weight: 0.25,
  signature: { names: ['n'], schema: z.object({ n: z.number().min(0) }) },

  async run({ n: seconds }, { clock, signal, history, waits }) {
    const endMs = await history.once('sleep-until', z.number(), async () => clock.uptime() + seconds * 1000);
    await waits.during(`${seconds} s to pass`, () =>
      clock.sleep(Math.max(0, endMs - clock.uptime()), signal),
    );
    return null;
  },
});

/** Starts processes and ends before they do; they must not outlive the task. */
export const fork = defineTask({
  methods: ['fork'],
  weight: 1.0,
  signature: {
    names: ['n', 'm'],
    schema: z.object({ n: optional(z.int().min(0).max(1000)), m: optional(z.number().min(0)) }),
  },

  async run({ n, m }, { cleanup }) {
    for (let count = 0; count < (n ?? 5); count += 1) {
      const child = spawn('sleep', [String(m ?? 37)], { stdio: 'ignore' });
      const ended = new Promise<void>((resolve) =>
        child.once('close', () => resolve()).once('error', () => resolve()),
      );
      cleanup.defer(async () => {
        child.kill('SIGKILL');
        await ended;
      });
    }
    return null;
  },
});

/** Starts children of which one fails and may. */
export const waitTest = defineTask({
  methods: ['waittest'],
  weight: 0.1,
  signature: {
    names: ['count', 'seconds'],
    schema: z.object({ count: z.int().min(0).max(1000), seconds: optional(z.number()) }),
  },

  async run({ count, seconds }, { subtasks, log }) {
    const children: number[] = [];
    for (let index = 0; index < count; index += 1) {
      children.push(await subtasks.start({ method: 'sleep', args: [seconds ?? 10], label: String(index) }));
    }
    const bad = await subtasks.start({ method: 'sleep', args: ['BAD_ARG'], label: 'bad' });
    const results = await subtasks.wait([...children, bad], { all: true, failAny: true, canFail: [bad] });
    log.info({ results: [...results.keys()] }, 'all children have ended');
    return null;
  },
});

/** A chain of children of the given length, ending in a short sleep. */
export const subtask = defineTask({
  methods: ['subtask'],
  weight: 0.1,
  signature: { names: ['n'], schema: z.object({ n: optional(z.int()) }) },

  async run({ n }, { subtasks }) {
    const left = n ?? 4;
    const child =
      left > 0
        ? await subtasks.start({ method: 'subtask', args: [left - 1], label: 'foo' })
        : await subtasks.start({ method: 'sleep', args: [15], label: 'bar' });
    await subtasks.wait([child]);
    return null;
  },
});

/** A method of this name always fails. */
export const defaultTask = defineTask({
  methods: ['default'],
  weight: 0.1,
  signature: { names: [], rest: true, schema: z.looseObject({}) },

  async run(_params, { task }) {
    throw new TaskFault(faultCodes.generic, 'request', `Invalid method: ${task.method}`);
  },
});
