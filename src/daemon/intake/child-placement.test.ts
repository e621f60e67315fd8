import { describe, expect, it } from 'vitest';
import { type QueuedTask, taskStates } from '../../hub/api/schema.ts';
import { type PlacementContext, whyLeft } from './child-placement.ts';

const queued = (id: number, more: Partial<QueuedTask> = {}): QueuedTask => ({
  id,
  state: taskStates.free,
  method: 'buildArch',
  arch: 'x86_64',
  hostId: null,
  ownerId: 1,
  parentId: 5,
  label: 'x86_64',
  channelId: 1,
  priority: 19,
  weight: 1,
  createTs: 1,
  startTs: null,
  ...more,
});
const child = queued(101);
const weights: Readonly<Record<string, number>> = { buildArch: 1.5, tagBuild: 1, build: 0.2 };
const context = (more: Partial<PlacementContext> = {}): PlacementContext => ({
  mode: 'auto',
  hostId: 7,
  capacity: 4,
  load: 0,
  tasks: 1,
  maxJobs: 10,
  queue: [child],
  own: new Set([101]),
  refused: new Set(),
  weightOf: (method) => weights[method] ?? null,
  ...more,
});

describe('whyLeft', () => {
  it('opens a child where there is room and nothing comes before it', () => {
    expect(whyLeft(child, context())).toBeNull();
  });

  it.each([
    [2.5, null],
    [2.6, 'the load 2.60 leaves no room for its weight 1.5 under the capacity 4'],
  ])('goes by the room that a load of %s leaves', (load, why) => {
    expect(whyLeft(child, context({ load }))).toBe(why);
  });

  it.each([
    [9, null],
    [10, '10 tasks are held here, maxjobs is 10'],
  ])('goes by maxjobs with %i tasks', (tasks, why) => {
    expect(whyLeft(child, context({ tasks }))).toBe(why);
  });

  it('counts what the hub has assigned to this host, and to no other', () => {
    const assigned = (hostId: number) =>
      [1, 2].map((id) => queued(id, { state: taskStates.assigned, hostId, method: 'buildArch' }));

    expect(whyLeft(child, context({ queue: [...assigned(7), child] }))).toMatch(/load 3.00 leaves no room/);
    expect(whyLeft(child, context({ queue: [...assigned(7), child], maxJobs: 3 }))).toMatch(/3 tasks/);
    expect(whyLeft(child, context({ queue: [...assigned(8), child] }))).toBeNull();
  });

  const rival = queued(90, { method: 'build', priority: 10 });

  it('leaves a child to the hub while a task comes before it', () => {
    expect(whyLeft(child, context({ queue: [rival, child] }))).toBe(
      "task 90 (build) comes before it in the hub's queue",
    );
  });

  it('does not look at what comes after it', () => {
    expect(whyLeft(child, context({ queue: [child, rival] }))).toBeNull();
  });

  it.each<[string, Partial<PlacementContext>]>([
    ['that this host has no handler for', { queue: [{ ...rival, method: 'image' }, child] }],
    ['that this host has refused', { refused: new Set([90]) }],
    ['that is a child of a task of this host, too', { own: new Set([90, 101]) }],
    ['that the hub has given to another host', { queue: [{ ...rival, state: 4, hostId: 8 }, child] }],
  ])('does not stand behind a task %s', (_what, more) => {
    expect(whyLeft(child, context({ queue: [rival, child], ...more }))).toBeNull();
  });

  it('with `yes` looks at the room alone', () => {
    const crowded = context({ mode: 'yes', queue: [rival, child] });

    expect(whyLeft(child, crowded)).toBeNull();
    expect(whyLeft(child, { ...crowded, load: 4 })).toMatch(/leaves no room/);
  });
});
