import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { reapOrphans } from '../container/reaper.ts';
import type { ContainerId, ContainerSpec, FailedStepRoot } from '../container/spec.ts';
import type { Container, StepRuntime } from '../container/step-runtime.ts';
import type { Clock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { never } from '../core/never.ts';
import { ProcessRegistry } from '../core/process-registry.ts';
import { lastUse, noteUse, readRecord, writeRecord } from './json-record.ts';

/** What a step with code of a package has left behind when it failed. */
export interface FailedStep {
  readonly taskId: number;
  readonly buildrootId: number;
  /** How it failed, for people: `rpmbuild (status 1) exited with status 1; ...`. */
  readonly failure: string;
  /** A command that does the step again, for the build user's shell. */
  readonly repeat: string;
  /** It has ended, with its root as the step has left it. It is not the caller's any more. */
  readonly container: Container;
  /** A container on that root in which the step could be done again: its command is another one's business. */
  shell(root: FailedStepRoot): ContainerSpec;
}

/** What tells the spec of a shell from those of earlier versions. */
const ShellRoot = z.object({ root: z.object({ kind: z.literal('visit') }) });

const FailedRootRecord = z.object({
  taskId: z.int(),
  buildrootId: z.int(),
  failure: z.string(),
  repeat: z.string(),
  endedMs: z.number(),
  bytes: z.number(),
  /** Containers that have to stay. */
  containers: z.array(z.string()).min(1),
  // Written by `keep`, which got it from the code that makes all containers.
  shell: z.custom<ContainerSpec>((value) => ShellRoot.safeParse(value).success),
});

/** A root that is kept; times in milliseconds. */
export interface FailedRoot extends z.infer<typeof FailedRootRecord> {
  readonly id: string;
  readonly usedMs: number;
}

export interface FailedRootsOptions {
  /** Holds the records. */
  readonly directory: string;
  /** How long roots are kept; 0: none is. */
  readonly lifetimeMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Roots of failed builds, for people who want to look: containers that have ended, and a record for each root. They
 * outlive the process, and go when their time is over, when there are too many of them, or when there is no room.
 */
export class FailedRoots {
  readonly #runtime: StepRuntime;
  readonly #options: FailedRootsOptions;
  readonly #pending = new Set<Promise<void>>();
  /** Containers of roots that are kept, or just being so. */
  readonly #held = new Set<ContainerId>();

  constructor(runtime: StepRuntime, options: FailedRootsOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  /** How long roots are kept, in milliseconds; 0: none is. */
  get lifetimeMs(): number {
    return this.#options.lifetimeMs;
  }

  /** Begins to keep a root. Callers need not wait; a failure is only logged. */
  keep(step: FailedStep): void {
    this.#held.add(step.container.id);
    const keeping = this.#keep(step)
      .catch(async (error: unknown) => {
        const about = { taskId: step.taskId, err: describeError(error) };
        this.#options.log.warn(about, 'keeping the root of a failed build failed');
        this.#held.delete(step.container.id);
        await step.container[Symbol.asyncDispose]();
      })
      .catch((error: unknown) =>
        this.#options.log.warn(
          { container: step.container.name, err: describeError(error) },
          'container orphaned, the next start removes it',
        ),
      )
      .finally(() => this.#pending.delete(keeping));
    this.#pending.add(keeping);
  }

  /** Whether the container belongs to a root that is kept, or just being so. */
  holds(id: ContainerId): boolean {
    return this.#held.has(id);
  }

  /** Resolves when no root is just being kept. */
  async idle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** All roots that are kept, the last that failed first. */
  async list(): Promise<readonly FailedRoot[]> {
    const names = await readdir(this.#options.directory).catch(() => []);
    const found = names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => {
        const path = join(this.#options.directory, name);
        const usedMs = await lastUse(path);
        const record = await readRecord(path, FailedRootRecord);
        return record === null || usedMs === null
          ? []
          : [{ ...record, id: name.slice(0, -'.json'.length), usedMs }];
      });
    return (await Promise.all(found)).flat().toSorted((one, other) => other.endedMs - one.endedMs);
  }

  /** Notes this process as a user of a root, whose containers carry `workerId`, until what is returned is disposed. */
  async use(root: FailedRoot, workerId: string): Promise<AsyncDisposable> {
    const users = this.#users(root);
    const me = await users.enter(workerId);
    await noteUse(this.#path(root));
    return { [Symbol.asyncDispose]: () => users.leave(me) };
  }

  /** Removes a root; false when it is in use. What users that were killed have left goes in any case. */
  async remove(root: FailedRoot): Promise<boolean> {
    if (await this.#isUsed(root)) return false;
    for (const id of root.containers) {
      await this.#runtime.remove(id);
      this.#held.delete(id);
    }
    await rm(this.#path(root), { force: true });
    await rm(this.#usersPath(root), { recursive: true, force: true });
    return true;
  }

  /** Removes those whose time is over, and what killed users of the others have left. The number of those removed. */
  async expire(): Promise<number> {
    const { clock, lifetimeMs } = this.#options;
    let expired = 0;
    for (const root of await this.list()) {
      const isOver = clock.now() - root.endedMs >= lifetimeMs;
      if (!isOver) await this.#isUsed(root);
      else if (await this.remove(root)) expired += 1;
    }
    return expired;
  }

  /**
   * At the start of a worker: forgets roots whose containers are gone. The containers of all others, which have to
   * stay.
   */
  async sweep(workerId: string, signal: AbortSignal): Promise<ReadonlySet<ContainerId>> {
    const there = new Set((await this.#runtime.list(workerId, signal)).map(({ id }) => id));
    const stay = new Set<ContainerId>();
    for (const root of await this.list()) {
      if (root.containers.every((id) => there.has(id))) for (const id of root.containers) stay.add(id);
      else await this.remove(root);
    }
    for (const id of stay) this.#held.add(id);
    return stay;
  }

  async #keep({ container, shell, ...step }: FailedStep): Promise<void> {
    const { clock, log } = this.#options;
    const { taskId, buildrootId } = step;
    const endedMs = clock.now();
    const { root, bytes } = await container.keepRoot(never);
    const record = { ...step, endedMs, bytes, containers: [container.id], shell: shell(root) };
    await writeRecord(this.#path({ id: `${taskId}-${buildrootId}` }), record);
    log.info({ taskId, bytes }, 'kept the root of a failed build');
  }

  /** Clears after users that were killed, too. */
  async #isUsed(root: FailedRoot): Promise<boolean> {
    const users = this.#users(root);
    const { living, dead } = await users.others().catch(() => ({ living: [], dead: [] }));
    for (const user of dead) {
      const { log } = this.#options;
      const { failed } = await reapOrphans(this.#runtime, user.workerId, () => false, log, never);
      if (failed.length === 0) await users.leave(user);
    }
    return living.length > 0;
  }

  #users(root: Pick<FailedRoot, 'id'>): ProcessRegistry {
    return new ProcessRegistry(this.#usersPath(root));
  }

  #usersPath({ id }: Pick<FailedRoot, 'id'>): string {
    return join(this.#options.directory, `${id}.users`);
  }

  #path({ id }: Pick<FailedRoot, 'id'>): string {
    return join(this.#options.directory, `${id}.json`);
  }
}
