import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { ContainerId } from './spec.ts';

/** A container, or a draft of a root. */
export interface Removable extends AsyncDisposable {
  readonly id: ContainerId;
  readonly name: string;
}

/**
 * Containers and drafts whose work is done, on their way out: an engine takes a moment for each, which only the end of the
 * process waits for. What cannot be removed is named in the log, and the next start removes it.
 */
export class BackgroundRemovals {
  readonly #log: Logger;
  readonly #removals = new Map<Removable, Promise<void>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Whether a container was handed over and is not gone yet, or its removal has failed. */
  has(container: Removable): boolean {
    return this.#removals.has(container);
  }

  /** Whether the container of this id is on its way. */
  owns(id: ContainerId): boolean {
    return [...this.#removals.keys()].some((container) => container.id === id);
  }

  /** Begins to remove a container, when `after` has been settled. */
  add(container: Removable, after: Promise<unknown> = Promise.resolve()): void {
    if (this.#removals.has(container)) return;
    this.#removals.set(container, this.#remove(container, after));
  }

  /** Resolves when none is on its way any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#removals.values());
  }

  async #remove(container: Removable, after: Promise<unknown>): Promise<void> {
    // Whether that went well is its owner's matter.
    await after.catch(() => undefined);
    try {
      await container[Symbol.asyncDispose]();
    } catch (error) {
      this.#log.warn(
        { container: container.name, err: describeError(error) },
        'container orphaned, the next start removes it',
      );
    } finally {
      this.#removals.delete(container);
    }
  }
}
