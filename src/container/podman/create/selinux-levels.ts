import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseLabels } from '../../labels.ts';
import type { ContainerId, Owner } from '../../spec.ts';
import { type Engine, libpod } from '../api/client.ts';

/** The label by which the level of a container is found again. */
export const levelLabel = 'io.koji.adjutant.selinux_level';

/** What the level of a container depends on that is being made. */
export interface LevelRequest {
  readonly owner: Owner;
  /** Containers whose roots it uses, for which it needs their level. */
  readonly lentBy: readonly ContainerId[];
}

/** A container of any worker of this engine that has a level. */
export interface LevelledContainer {
  readonly id: ContainerId;
  readonly level: string;
  readonly owner: Owner | undefined;
}

const ListedLevels = z
  .array(z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()).nullish() }))
  .nullable();

/** Categories of the policies of Fedora, Enterprise Linux and Debian: c0 to c1023. */
const categories = 1024;

/**
 * Levels of SELinux for containers: without one the engine gives each container categories of its own, so that none can
 * use the root of another. All containers of a task get the same, and no two tasks that have containers at a time, of
 * whichever worker of the engine. Where a level is known only by containers that are there, they are what is looked at.
 */
export class SelinuxLevels {
  readonly #engine: Engine;
  /** Of containers that are being made: the engine does not list them yet. */
  readonly #making = new Map<string, { readonly level: string; readonly users: number }>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Has `create` make a container with the level of its task. It is called again with another one when another process
   * has given that to one of its tasks meanwhile; what it has made then is removed by `remove`.
   */
  async withLevel(
    wanted: LevelRequest,
    create: (level: string) => Promise<ContainerId>,
    remove: (id: ContainerId) => Promise<void>,
    signal: AbortSignal,
  ): Promise<ContainerId> {
    // One after the other, so that two containers of a task do not begin with two levels.
    const turn = this.#turn.then(() => this.#begin(wanted, create, remove, signal));
    this.#turn = turn.catch(() => undefined);
    const begun = await turn;
    if ('id' in begun) return begun.id;
    try {
      return await create(begun.level);
    } finally {
      this.#release(wanted.owner);
    }
  }

  /** The first container of a task, made, or the level that others of it have. */
  async #begin(
    wanted: LevelRequest,
    create: (level: string) => Promise<ContainerId>,
    remove: (id: ContainerId) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ readonly id: ContainerId } | { readonly level: string }> {
    const used: string[] = [];
    for (;;) {
      signal.throwIfAborted();
      const there = await this.#list(signal);
      const known = levelOf(wanted, there) ?? this.#making.get(keyOf(wanted.owner))?.level;
      if (known !== undefined) {
        this.#reserve(wanted.owner, known);
        return { level: known };
      }
      used.push(...there.map(({ level }) => level), ...[...this.#making.values()].map(({ level }) => level));
      const level = freeLevel(wanted.owner, used);
      const id = await create(level);
      if (!(await this.#isTaken(level, wanted.owner))) return { id };
      await remove(id);
      used.push(level);
    }
  }

  #reserve(owner: Owner, level: string): void {
    const key = keyOf(owner);
    this.#making.set(key, { level, users: (this.#making.get(key)?.users ?? 0) + 1 });
  }

  #release(owner: Owner): void {
    const key = keyOf(owner);
    const making = this.#making.get(key);
    if (making === undefined) return;
    if (making.users === 1) this.#making.delete(key);
    else this.#making.set(key, { ...making, users: making.users - 1 });
  }

  async #isTaken(level: string, owner: Owner): Promise<boolean> {
    const there = await this.#list();
    return there.some((one) => one.level === level && keyOf(one.owner) !== keyOf(owner));
  }

  async #list(signal?: AbortSignal): Promise<readonly LevelledContainer[]> {
    const found = await this.#engine.call(ListedLevels, {
      what: 'list the levels of containers',
      method: 'GET',
      path: `${libpod}/containers/json`,
      query: { all: 'true', filters: JSON.stringify({ label: [levelLabel] }) },
      ok: [200],
      repeatable: true,
      ...(signal === undefined ? {} : { signal }),
    });
    return (found ?? []).flatMap(({ Id: id, Labels: labels }) => {
      const level = labels?.[levelLabel];
      return level === undefined ? [] : [{ id, level, owner: parseLabels(labels ?? {}) }];
    });
  }
}

/** That of the roots that a container is lent, or of its task; undefined where there is none yet. */
export function levelOf(
  { owner, lentBy }: LevelRequest,
  there: readonly LevelledContainer[],
): string | undefined {
  const byRoot = there.find(({ id }) => lentBy.includes(id));
  return (byRoot ?? there.find((one) => keyOf(one.owner) === keyOf(owner)))?.level;
}

/** A pair of categories that is not among `used`: the same for a task each time it is asked, as long as it is free. */
export function freeLevel({ workerId, taskId }: Owner, used: readonly string[]): string {
  for (let attempt = 0; ; attempt += 1) {
    const digest = createHash('sha256').update(`${workerId}\0${taskId}\0${attempt}`).digest();
    const one = digest.readUInt16BE(0) % categories;
    const other = digest.readUInt16BE(2) % categories;
    const level = `s0:c${Math.min(one, other)},c${Math.max(one, other)}`;
    if (one !== other && !used.includes(level)) return level;
  }
}

function keyOf(owner: Owner | undefined): string {
  return owner === undefined ? '' : `${owner.workerId}\0${owner.taskId}`;
}
