import { z } from 'zod';
import type { RpcValue } from '../xmlrpc/codec.ts';
import { decodeCall } from '../xmlrpc/decode.ts';

/** `koji.TASK_STATES`. */
export const taskStates = { free: 0, open: 1, closed: 2, canceled: 3, assigned: 4, failed: 5 } as const;

/** `koji.BR_STATES`. */
export const buildrootStates = { init: 0, waiting: 1, building: 2, expired: 3 } as const;

/** `koji.BUILD_STATES`. */
export const buildStates = { building: 0, complete: 1, deleted: 2, failed: 3, canceled: 4 } as const;

/** `koji.REPO_STATES`. */
export const repoStates = { init: 0, ready: 1, expired: 2, deleted: 3, problem: 4 } as const;

/** Koji's word for the state of a repo: `READY`. */
export function repoStateName(state: number): string {
  const [name] = Object.entries(repoStates).find(([, number]) => number === state) ?? [String(state)];
  return name.toUpperCase();
}

/** An answer that is not used. */
export const Ignored = z.unknown().transform(() => undefined);

/** Any value the hub can send, as the codec has decoded it. */
export const AnyRpcValue = z.custom<RpcValue>(() => true);

/** A list of arches as Koji keeps it in one field, separated by white space. */
const Arches = z
  .string()
  .nullable()
  .transform((text) => (text ?? '').split(/\s+/).filter((arch) => arch !== ''));

/** A struct of settings, such as a tag's `extra`. */
export const Settings = z
  .record(z.string(), AnyRpcValue)
  .nullish()
  .transform((value): Readonly<Record<string, RpcValue>> => value ?? {});

/** This host as the hub sees it (`host.getHost`). */
export const HostInfo = z
  .object({
    id: z.int(),
    name: z.string(),
    user_id: z.int(),
    arches: Arches,
    capacity: z.number(),
    task_load: z.number(),
    enabled: z.boolean(),
    ready: z.boolean(),
  })
  .transform((row) => ({
    id: row.id,
    name: row.name,
    userId: row.user_id,
    arches: row.arches,
    capacity: row.capacity,
    taskLoad: row.task_load,
    enabled: row.enabled,
    ready: row.ready,
  }));
export type HostInfo = z.infer<typeof HostInfo>;

/** A channel as `getChannel` tells it. */
export const Channel = z.object({ name: z.string() });

/** A task that is OPEN on this host. `alert`: it waits, and a subtask has finished. */
export const HeldTask = z
  .object({ id: z.int(), waiting: z.boolean().nullable(), weight: z.number(), alert: z.boolean().optional() })
  .transform((row) => ({
    id: row.id,
    waiting: row.waiting === true,
    weight: row.weight,
    alert: row.alert === true,
  }));
export type HeldTask = z.infer<typeof HeldTask>;

/** A task that the hub's scheduler has given to this host and that is not open yet. */
export const AssignedTask = z
  .object({
    id: z.int(),
    method: z.string(),
    arch: z.string(),
    channel_id: z.int().nullable(),
    priority: z.int().nullable(),
    create_ts: z.number(),
  })
  .transform((row) => ({
    id: row.id,
    method: row.method,
    arch: row.arch,
    channelId: row.channel_id,
    priority: row.priority,
    createTs: row.create_ts,
  }));
export type AssignedTask = z.infer<typeof AssignedTask>;

const taskRow = z.object({
  id: z.int(),
  state: z.int(),
  method: z.string(),
  arch: z.string(),
  host_id: z.int().nullable(),
  owner: z.int().nullable(),
  parent: z.int().nullable(),
  label: z.string().nullable(),
  channel_id: z.int().nullable(),
  priority: z.int().nullable(),
  weight: z.number(),
  create_ts: z.number().nullish(),
  start_ts: z.number().nullish(),
});

function toTask(row: z.infer<typeof taskRow>) {
  return {
    id: row.id,
    state: row.state,
    method: row.method,
    arch: row.arch,
    hostId: row.host_id,
    ownerId: row.owner,
    parentId: row.parent,
    label: row.label,
    channelId: row.channel_id,
    priority: row.priority,
    weight: row.weight,
    /** Seconds since the epoch. */
    createTs: row.create_ts ?? null,
    /** When it was last opened, in seconds since the epoch; null while it never was. */
    startTs: row.start_ts ?? null,
  };
}

/** A task as `getTaskInfo` tells it; `request` are its parameters, null when they were not asked for. */
export const TaskInfo = taskRow
  .extend({ request: z.array(AnyRpcValue).nullish() })
  .transform((row) => ({ ...toTask(row), request: row.request ?? null }));
export type TaskInfo = z.infer<typeof TaskInfo>;

/** A task as `listTasks` tells it. */
export const QueuedTask = taskRow.transform(toTask);
export type QueuedTask = z.infer<typeof QueuedTask>;

/** A task as `host.openTask` hands it over: the parameters come as the stored `methodCall` document. */
export const OpenTask = taskRow
  .extend({ request: z.string() })
  .transform((row) => ({ ...toTask(row), request: decodeCall(row.request).params }));
export type OpenTask = z.infer<typeof OpenTask>;

/** The session of a call (`getSessionInfo`). */
export const SessionRow = z
  .object({
    user_id: z.int(),
    exclusive: z.boolean().nullable(),
    master: z.int().nullable(),
    start_ts: z.number(),
  })
  .transform((row) => ({
    userId: row.user_id,
    exclusive: row.exclusive === true,
    master: row.master,
    startTs: row.start_ts,
  }));
export type SessionRow = z.infer<typeof SessionRow>;

/** A buildroot record; the hub's standard kind, which belongs to a host and a repo. */
export const BuildrootInfo = z
  .object({
    id: z.int(),
    state: z.int().nullable(),
    arch: z.string().nullable(),
    host_id: z.int().nullable(),
    task_id: z.int().nullable(),
    repo_id: z.int().nullable(),
    tag_name: z.string().nullable(),
  })
  .transform((row) => ({
    id: row.id,
    state: row.state,
    arch: row.arch,
    hostId: row.host_id,
    taskId: row.task_id,
    repoId: row.repo_id,
    tagName: row.tag_name,
  }));
export type BuildrootInfo = z.infer<typeof BuildrootInfo>;

/** A tag, or a tag's build configuration, which differs in that arches and extra are inherited. */
export const TagInfo = z
  .object({
    id: z.int(),
    name: z.string(),
    arches: Arches,
    locked: z.boolean(),
    perm_id: z.int().nullable(),
    maven_support: z.boolean(),
    maven_include_all: z.boolean(),
    extra: Settings,
  })
  .transform((row) => ({
    id: row.id,
    name: row.name,
    arches: row.arches,
    locked: row.locked,
    permId: row.perm_id,
    mavenSupport: row.maven_support,
    mavenIncludeAll: row.maven_include_all,
    extra: row.extra,
  }));
export type TagInfo = z.infer<typeof TagInfo>;

/** A build target: where a build takes its buildroot from and where it is tagged. */
export const BuildTarget = z
  .object({
    id: z.int(),
    name: z.string(),
    build_tag: z.int(),
    build_tag_name: z.string(),
    dest_tag: z.int(),
    dest_tag_name: z.string(),
  })
  .transform((row) => ({
    id: row.id,
    name: row.name,
    buildTagId: row.build_tag,
    buildTagName: row.build_tag_name,
    destTagId: row.dest_tag,
    destTagName: row.dest_tag_name,
  }));
export type BuildTarget = z.infer<typeof BuildTarget>;

/** What a tag says about a package. */
export const PackageConfig = z
  .object({
    package_id: z.int(),
    package_name: z.string(),
    tag_id: z.int(),
    tag_name: z.string(),
    blocked: z.boolean(),
    extra_arches: Arches,
  })
  .transform((row) => ({
    packageId: row.package_id,
    packageName: row.package_name,
    tagId: row.tag_id,
    tagName: row.tag_name,
    blocked: row.blocked,
    extraArches: row.extra_arches,
  }));
export type PackageConfig = z.infer<typeof PackageConfig>;

/** An external repo of a tag; `url` may hold `$arch`. In the order of the hub's answer. */
export const ExternalRepo = z
  .object({
    external_repo_id: z.int(),
    external_repo_name: z.string(),
    url: z.string(),
    merge_mode: z.string().nullish(),
    arches: z.string().nullish(),
    tag_id: z.int(),
    tag_name: z.string(),
    priority: z.int().nullish(),
  })
  .transform((row) => ({
    id: row.external_repo_id,
    name: row.external_repo_name,
    url: row.url,
    mergeMode: row.merge_mode ?? null,
    arches: row.arches === null || row.arches === undefined ? null : row.arches.split(/\s+/).filter(Boolean),
    tagId: row.tag_id,
    tagName: row.tag_name,
    priority: row.priority ?? null,
  }));
export type ExternalRepo = z.infer<typeof ExternalRepo>;

/** One parent in a tag's full inheritance. */
export const InheritanceLink = z
  .object({ parent_id: z.int(), name: z.string(), currdepth: z.int() })
  .transform((row) => ({ parentId: row.parent_id, name: row.name, depth: row.currdepth }));
export type InheritanceLink = z.infer<typeof InheritanceLink>;

export const HubEvent = z.object({ id: z.int(), ts: z.number() });
export type HubEvent = z.infer<typeof HubEvent>;

export const UserInfo = z.object({ id: z.int(), name: z.string() });
export type UserInfo = z.infer<typeof UserInfo>;

export const BuildInfo = z
  .object({
    id: z.int(),
    name: z.string(),
    version: z.string(),
    release: z.string(),
    epoch: z.int().nullable(),
    nvr: z.string(),
    state: z.int(),
    task_id: z.int().nullable(),
    owner_id: z.int(),
    owner_name: z.string(),
    package_id: z.int(),
    volume_name: z.string().nullish(),
  })
  .transform((row) => ({
    id: row.id,
    name: row.name,
    version: row.version,
    release: row.release,
    epoch: row.epoch,
    nvr: row.nvr,
    state: row.state,
    taskId: row.task_id,
    ownerId: row.owner_id,
    ownerName: row.owner_name,
    packageId: row.package_id,
    volumeName: row.volume_name ?? null,
  }));
export type BuildInfo = z.infer<typeof BuildInfo>;
