/** Something that says when it is worth looking again. */
export interface WakeUp {
  /** Resolves at the next wake-up after this call; rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<void>;
}

/** Wakes the waiter, at most once per wait; a wake-up without a waiter is not kept. */
export class WakeSignal implements WakeUp {
  #waiting = new Set<() => void>();

  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const settle = (then: () => void) => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', give);
        then();
      };
      const wake = () => settle(resolve);
      const give = () => settle(() => reject(signal.reason as Error));
      this.#waiting.add(wake);
      signal.addEventListener('abort', give, { once: true });
    });
  }

  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
