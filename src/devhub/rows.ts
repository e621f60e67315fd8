import { z } from 'zod';

/** Codes of the states a task goes through (`koji.TASK_STATES`). */
export const taskState = { FREE: 0, OPEN: 1, CLOSED: 2, CANCELED: 3, ASSIGNED: 4, FAILED: 5 } as const;
/** Codes of buildroot states (`koji.BR_STATES`). */
export const buildrootState = { INIT: 0, WAITING: 1, BUILDING: 2, EXPIRED: 3 } as const;
/** Codes of build states (`koji.BUILD_STATES`). */
export const buildState = { BUILDING: 0, COMPLETE: 1, DELETED: 2, FAILED: 3, CANCELED: 4 } as const;
/** Codes of repository states (`koji.REPO_STATES`). */
export const repoState = { INIT: 0, READY: 1, EXPIRED: 2, DELETED: 3, PROBLEM: 4 } as const;

/** The name that belongs to a state's code, such as `BUILDING`. */
export function stateName(states: Readonly<Record<string, number>>, code: number): string {
  return Object.entries(states).find(([, value]) => value === code)?.[0] ?? String(code);
}

const id = z.int();
const optionalId = z.int().nullable();
/** Seconds since the epoch, with fraction. */
const time = z.number();
const optionalTime = z.number().nullable();

const RepoOptions = z.record(z.string(), z.boolean());

/** One row of every table of the hub; names are the columns of Koji's database where it has them. */
export const rowSchemas = {
  events: z.object({ id, time }),
  users: z.object({
    id,
    name: z.string(),
    password: z.string().nullable(),
    permissions: z.array(z.string()),
  }),
  channels: z.object({ id, name: z.string() }),
  hosts: z.object({
    id,
    user_id: id,
    name: z.string(),
    arches: z.string(),
    capacity: z.number(),
    enabled: z.boolean(),
    ready: z.boolean(),
    task_load: z.number(),
    update_time: optionalTime,
    channels: z.array(id),
    maxjobs: z.int().nullable(),
  }),
  sessions: z.object({
    id,
    user_id: id,
    key: z.string(),
    master: optionalId,
    exclusive: z.boolean(),
    expired: z.boolean(),
    closed: z.boolean(),
    callnum: z.int().nullable(),
    start_time: time,
    renew_time: optionalTime,
  }),
  tags: z.object({
    id,
    name: z.string(),
    arches: z.string().nullable(),
    extra: z.record(z.string(), z.json()),
    parents: z.array(z.object({ parent_id: id, priority: z.int() })),
    groups: z.array(z.object({ name: z.string(), packages: z.array(z.string()) })),
    create_event: id,
  }),
  targets: z.object({ id, name: z.string(), build_tag: id, dest_tag: id }),
  packages: z.object({ id, name: z.string() }),
  tagPackages: z.object({
    id,
    tag_id: id,
    package_id: id,
    owner_id: id,
    blocked: z.boolean(),
    create_event: id,
  }),
  tagListing: z.object({ id, tag_id: id, build_id: id, create_event: id, revoke_event: optionalId }),
  externalRepos: z.object({ id, name: z.string(), url: z.string() }),
  tagExternalRepos: z.object({
    id,
    tag_id: id,
    external_repo_id: id,
    priority: z.int(),
    merge_mode: z.string(),
    arches: z.string().nullable(),
    create_event: id,
  }),
  builds: z.object({
    id,
    package_id: id,
    version: z.string(),
    release: z.string(),
    epoch: z.int().nullable(),
    state: z.int(),
    task_id: optionalId,
    owner_id: id,
    source: z.string().nullable(),
    extra: z.json(),
    create_event: id,
    start_time: optionalTime,
    completion_time: optionalTime,
  }),
  rpms: z.object({
    id,
    build_id: optionalId,
    buildroot_id: optionalId,
    external_repo_id: id,
    name: z.string(),
    version: z.string(),
    release: z.string(),
    epoch: z.int().nullable(),
    arch: z.string(),
    payloadhash: z.string(),
    size: z.int(),
    buildtime: z.int(),
  }),
  tasks: z.object({
    id,
    state: z.int(),
    create_time: time,
    start_time: optionalTime,
    completion_time: optionalTime,
    channel_id: id,
    host_id: optionalId,
    parent: optionalId,
    label: z.string().nullable(),
    waiting: z.boolean().nullable(),
    awaited: z.boolean().nullable(),
    owner: id,
    method: z.string(),
    /** The call as an XML document. */
    request: z.string(),
    /** The response or fault as an XML document. */
    result: z.string().nullable(),
    arch: z.string(),
    priority: z.int(),
    weight: z.number(),
  }),
  refusals: z.object({ id, task_id: id, host_id: id, soft: z.boolean(), msg: z.string(), time }),
  buildroots: z.object({
    id,
    host_id: id,
    repo_id: id,
    task_id: id,
    arch: z.string(),
    state: z.int(),
    create_event: id,
    retire_event: optionalId,
    rpms: z.array(z.object({ rpm_id: id, is_update: z.boolean() })),
  }),
  repos: z.object({
    id,
    tag_id: id,
    create_event: id,
    state: z.int(),
    creation_time: time,
    state_time: time,
    task_id: optionalId,
    opts: RepoOptions,
    custom_opts: RepoOptions,
  }),
  repoRequests: z.object({
    id,
    owner: id,
    priority: z.int(),
    tag_id: id,
    at_event: optionalId,
    min_event: optionalId,
    opts: RepoOptions,
    active: z.boolean(),
    task_id: optionalId,
    tries: z.int(),
    repo_id: optionalId,
    create_time: time,
    update_time: time,
  }),
  schedulerRuns: z.object({ id, time }),
};

export type TableName = keyof typeof rowSchemas;
export type RowOf<Name extends TableName> = Readonly<z.output<(typeof rowSchemas)[Name]>>;

export type UserRow = RowOf<'users'>;
export type HostRow = RowOf<'hosts'>;
export type SessionRow = RowOf<'sessions'>;
export type TagRow = RowOf<'tags'>;
export type BuildRow = RowOf<'builds'>;
export type RpmRow = RowOf<'rpms'>;
export type TaskRow = RowOf<'tasks'>;
export type BuildrootRow = RowOf<'buildroots'>;
export type RepoRow = RowOf<'repos'>;
export type RepoRequestRow = RowOf<'repoRequests'>;
