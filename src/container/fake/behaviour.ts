import type { ContainerSpec, LimitHit } from '../spec.ts';

/** What the main process of a fake container may do while it runs. */
export interface FakeProcess {
  readonly spec: ContainerSpec;
  write(output: string | Uint8Array): void;
  /** Aborted when the container is killed. */
  readonly signal: AbortSignal;
}

/** How a fake container behaves. Everything left out: it ends at once with exit code 0 and no output. */
export interface FakeBehaviour {
  readonly exitCode?: number;
  readonly oomKilled?: boolean;
  /** A limit of memory or processes that it runs into; those of disk, log and idle time count here as anywhere. */
  readonly ranInto?: LimitHit;
  readonly output?: string | Uint8Array;
  /** Running time on the runtime's clock; Infinity: until it is stopped. */
  readonly runMs?: number;
  /** `start` rejects with `start-failed` and this text. */
  readonly startFail?: string;
  /** The main process continues when it is asked to end, so `stop` has to kill it. */
  readonly ignoresTerm?: boolean;
  /** Files of the root, by absolute path, for `copyOut` and the limit of disk; there from the start on. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Runs as the main process after `output` and `runMs`; its result wins over `exitCode`. */
  readonly main?: (process: FakeProcess) => Promise<number>;
}

/** The behaviour a spec asks for in its environment: FAKE_EXIT_CODE, FAKE_OUTPUT, FAKE_RUN_MS, FAKE_START_FAIL. */
export function behaviourOf(spec: ContainerSpec): FakeBehaviour {
  const { FAKE_EXIT_CODE, FAKE_OUTPUT, FAKE_RUN_MS, FAKE_START_FAIL } = spec.env;
  return {
    ...(FAKE_EXIT_CODE === undefined ? {} : { exitCode: Number(FAKE_EXIT_CODE) }),
    ...(FAKE_OUTPUT === undefined ? {} : { output: FAKE_OUTPUT }),
    ...(FAKE_RUN_MS === undefined ? {} : { runMs: Number(FAKE_RUN_MS) }),
    ...(FAKE_START_FAIL === undefined ? {} : { startFail: FAKE_START_FAIL }),
  };
}
