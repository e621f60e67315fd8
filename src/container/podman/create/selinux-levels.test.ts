import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../../../../test/support/manual-clock.ts';
import { never } from '../../../core/never.ts';
import { toLabels } from '../../labels.ts';
import type { Owner } from '../../spec.ts';
import { Engine } from '../api/client.ts';
import { freeLevel, type LevelRequest, levelLabel, SelinuxLevels } from './selinux-levels.ts';

function containerOf(taskId: number, workerId = 'worker', lentBy: readonly string[] = []): LevelRequest {
  return { owner: { workerId, taskId, phase: 'p', attempt: 1 }, lentBy };
}

/** An engine that lists the containers that were made, those of other processes included. */
async function openEngine() {
  const directory = await mkdtemp(join(tmpdir(), 'levels-'));
  const socketPath = join(directory, 'podman.sock');
  const there = new Map<string, { level: string; owner: Owner }>();
  const server = createServer((_request, response) => {
    const listed = [...there].map(([Id, { level, owner }]) => ({
      Id,
      Labels: { ...toLabels(owner), [levelLabel]: level },
    }));
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(listed));
  });
  server.listen(socketPath);
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  });
  const open = () =>
    new SelinuxLevels(
      new Engine({ socketPath, clock: new ManualClock(), timeoutMs: 60_000, reconnectMs: 0 }),
    );
  let made = 0;
  const make = async (levels: SelinuxLevels, wanted: LevelRequest, meanwhile?: (level: string) => void) => {
    const create = async (level: string) => {
      made += 1;
      meanwhile?.(level);
      there.set(`id-${made}`, { level, owner: wanted.owner });
      return `id-${made}`;
    };
    const remove = async (id: string) => {
      there.delete(id);
    };
    const id = await levels.withLevel(wanted, create, remove, never);
    return { id, level: there.get(id)?.level ?? '' };
  };
  return { there, open, make };
}

describe('SelinuxLevels', () => {
  it('gives all containers of a task one level, and two tasks never the same', async () => {
    const { open, make } = await openEngine();
    const levels = open();

    const made = await Promise.all(
      [1, 1, 2, 2, 3].map(async (task) => ({ task, ...(await make(levels, containerOf(task))) })),
    );

    const of = (task: number) => new Set(made.filter((one) => one.task === task).map(({ level }) => level));
    for (const task of [1, 2, 3]) expect(of(task).size).toBe(1);
    expect(new Set(made.map(({ level }) => level)).size).toBe(3);
    expect(made[0]?.level).toMatch(/^s0:c\d{1,4},c\d{1,4}$/);
  });

  it('continues with the level of the containers that are there, after a restart, too', async () => {
    const { there, open, make } = await openEngine();
    there.set('before', { level: 's0:c5,c6', owner: containerOf(1).owner });

    expect((await make(open(), containerOf(1))).level).toBe('s0:c5,c6');
    expect((await make(open(), containerOf(1, 'another worker'))).level).not.toBe('s0:c5,c6');
  });

  it('gives a shell the level of the root that it is lent, whoever opens it', async () => {
    const { there, open, make } = await openEngine();
    there.set('disk', { level: 's0:c5,c6', owner: containerOf(1).owner });

    const shell = containerOf(1, 'shell-1', ['disk']);

    expect((await make(open(), shell)).level).toBe('s0:c5,c6');
  });

  it('takes another level where that of the task is in use, now or since the moment before', async () => {
    const { there, open, make } = await openEngine();
    const first = freeLevel(containerOf(1).owner, []);
    there.set('other', { level: first, owner: containerOf(2).owner });
    let seized = '';
    const seize = (level: string) => {
      if (seized !== '') return;
      seized = level;
      there.set('seized', { level, owner: containerOf(3, 'another worker').owner });
    };

    const { level } = await make(open(), containerOf(1), seize);

    expect(new Set([first, seized, level]).size).toBe(3);
    expect([...there.keys()]).toHaveLength(3);
  });
});

it('freeLevel names two different categories, the lower first, and never one in use', () => {
  const used: string[] = [];
  for (let task = 1; task <= 2000; task += 1) {
    const level = freeLevel({ workerId: 'w', taskId: task, phase: 'p', attempt: 1 }, used);
    const [, low, high] = /^s0:c(\d+),c(\d+)$/.exec(level) ?? [];
    expect(Number(low)).toBeLessThan(Number(high));
    expect(Number(high)).toBeLessThan(1024);
    used.push(level);
  }
  expect(new Set(used).size).toBe(2000);
});
