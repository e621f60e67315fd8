/**
 * One run of something for everybody who asks for it while it runs. A caller who gives up rejects
 * with its signal's reason; the run is aborted when the last caller has given up.
 */
export class SingleFlight<T> {
  readonly #run: (signal: AbortSignal) => Promise<T>;
  #current: { readonly abort: AbortController; readonly result: Promise<T>; callers: number } | undefined;

  constructor(run: (signal: AbortSignal) => Promise<T>) {
    this.#run = run;
  }

  /** Whether a caller waits for a run. */
  get isRunning(): boolean {
    return this.#current !== undefined;
  }

  /** Joins the current run or starts one; every run that ended is forgotten. */
  async join(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const call = this.#current ?? this.#start();
    call.callers += 1;
    const givenUp = Promise.withResolvers<never>();
    const giveUp = () => givenUp.reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await Promise.race([call.result, givenUp.promise]);
    } finally {
      signal.removeEventListener('abort', giveUp);
      call.callers -= 1;
      if (call.callers === 0) {
        if (this.#current === call) this.#current = undefined;
        call.abort.abort();
      }
    }
  }

  #start() {
    const abort = new AbortController();
    const result = this.#run(abort.signal);
    const call = { abort, result, callers: 0 };
    this.#current = call;
    const forget = () => {
      if (this.#current === call) this.#current = undefined;
    };
    // Both ways end here: the callers see the failure, and there may be none left to see this one.
    result.then(forget, forget);
    return call;
  }
}
