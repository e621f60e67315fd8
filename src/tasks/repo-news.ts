/** Tells tasks that wait for a repo that one was made on this host: the hub gives it to them at once. */
export class RepoNews {
  #count = 0;
  #next = Promise.withResolvers<void>();

  /** How many were made so far: to be asked before the hub is, so that no news is missed in between. */
  get count(): number {
    return this.#count;
  }

  /** The hub has put a repo in place. */
  made(): void {
    this.#count += 1;
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }

  /** Resolves when more than `seen` were made. */
  async beyond(seen: number): Promise<void> {
    if (this.#count <= seen) await this.#next.promise;
  }
}
