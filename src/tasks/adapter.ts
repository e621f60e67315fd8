import type { BuildrootHost } from '../buildroot/host.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { TaskWaits } from '../core/waits.ts';
import type { HubApis } from '../hub/api/apis.ts';
import type { OpenTask } from '../hub/api/schema.ts';
import type { TagsApi } from '../hub/api/tags.ts';
import type { HubFiles } from '../hub/files.ts';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import type { History } from '../journal/history.ts';
import type { TaskLogs } from '../logs/task-logs.ts';
import type { PolicyResolver } from '../policy/resolver.ts';
import type { TaskSteps } from '../steps/task-steps.ts';
import type { TaskUploads } from '../upload/task-uploads.ts';
import type { DecodedParams, TaskSignature } from './params.ts';
import type { RepoNews } from './repo-news.ts';
import type { TaskSettings } from './settings.ts';
import type { Subtasks } from './subtasks.ts';

/** A task as the hub gave it to us. */
export interface RunningTask {
  readonly id: number;
  readonly method: string;
  readonly arch: string;
}

/** What the operator gives all containers of this host, and what they are known by. */
export type ContainerDefaults = Pick<
  BuildrootHost,
  'workerId' | 'hostname' | 'limits' | 'labels' | 'network' | 'stepLimits'
>;

/** All that a running task may use. */
export interface TaskContext {
  readonly task: RunningTask;
  /** Aborted when the task has to end; `signal.reason` is a `TaskCancelled`. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly settings: TaskSettings;
  /** The hub, through a session of the task's own. */
  readonly hub: HubApis;
  /** Files of the hub, over `topurl` or `topdir`. */
  readonly files: HubFiles;
  /**
   * The task's own directory: absolute, and relative to the worker's area. It exists and is empty, but for what an
   * previous run of the task has left there.
   */
  readonly directory: { readonly absolute: string; readonly work: string };
  /** Runs containers. */
  readonly steps: TaskSteps;
  /** What all buildroots of this host share. */
  readonly buildrootHost: BuildrootHost;
  /** What containers of a task have in common that stand in no buildroot. */
  readonly containerDefaults: ContainerDefaults;
  readonly policy: PolicyResolver;
  readonly logs: TaskLogs;
  /** Sends finished files to the task's directory on the hub. */
  readonly outputs: TaskUploads;
  readonly subtasks: Subtasks;
  /** Of repos that tasks of this host have made. */
  readonly repoNews: RepoNews;
  /** What the task has done, in previous runs of the daemon, too. */
  readonly history: History;
  /** Where it is recorded what the task waits for; what goes through the other members records it itself. */
  readonly waits: TaskWaits;
  /** Unwound when the task ends, however it ends, before the hub hears of it. */
  readonly cleanup: AsyncDisposableStack;
  /** Numbers from 0 up to 1, for choices among equals; the same after a restart of the daemon. */
  random(): number;
}

/** The facts by which a task is taken or refused before it is opened. */
export interface HostFacts {
  readonly arches: readonly string[];
}

/** Where the build tag of a task stands: itself by id or name, by its target, or by a repo of it. */
export type BuildTagSource =
  | { readonly tag: number | string }
  | { readonly target: string }
  | { readonly repoId: number };

/** What a task works for, as far as its own parameters tell; what they leave out its parent's may tell. */
export interface OwnPurpose {
  /** Of several the first that exists counts. */
  readonly buildTag?: readonly BuildTagSource[];
  readonly scratch?: boolean;
}

/**
 * One or more task methods. `run` ends with the task's result or throws: `TaskFault` and its like fail
 * the task, `TaskRefused` gives it back, anything unknown is a bug of ours and fails it with code 1.
 * Registered by one line in `registry.ts`.
 */
export interface TaskAdapter<P = unknown> {
  readonly methods: readonly string[];
  readonly signature: TaskSignature<P>;
  /** Share of the host's capacity, Koji's `_taskWeight`. */
  readonly weight: number;
  /** What the task works for, by which an operator's `accept` goes; left out: its parent tells. */
  purpose?(params: P): OwnPurpose;
  /** It is about the daemon itself, which therefore takes it whatever `accept` says. */
  readonly alwaysAccepted?: true;
  /** Why this host can never run the task, or null when it can (`checkHost`); left out: it can. */
  checkHost?(params: P, host: HostFacts, tags: TagsApi, signal: AbortSignal): Promise<string | null>;
  /**
   * After a restart of the daemon it runs again from its first line, and calls of the hub and what goes through
   * `context.history` give what they gave before. So all that may come out differently goes through there.
   */
  run(params: P, context: TaskContext): Promise<RpcValue>;
  /**
   * It looks at the world again and again and changes nothing that was not there: after a restart it starts again, and
   * nothing is remembered.
   */
  readonly replay?: false;
}

/** A task that is OPEN on the hub as ours, and what it runs as. */
export interface OpenedTask {
  readonly task: OpenTask;
  readonly adapter: TaskAdapter;
  readonly params: DecodedParams;
}

/** Keeps an adapter's parameter type while it is checked against the interface. */
export function defineTask<P>(adapter: TaskAdapter<P>): TaskAdapter<P> {
  return adapter;
}
