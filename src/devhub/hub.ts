import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { HubPaths } from './paths.ts';
import type { HostRow, TagRow, UserRow } from './rows.ts';
import { State } from './state.ts';

/** The hub's settings; the names are those of hub.conf, in our units. */
export interface HubSettings {
  /** Answered to getKojiVersion and sent as `Koji-Version`. */
  readonly kojiVersion: string;
  /** How long a session lasts before it must be renewed. */
  readonly sessionRenewalMs: number;
  /** The scheduler runs at most this often. */
  readonly runIntervalMs: number;
  /** Tasks a host may have when it does not say so itself. */
  readonly maxJobs: number;
  /** How much weight above its capacity a host may be given. */
  readonly capacityOvercommit: number;
  /** How long a host that refused a task softly is left alone with it. */
  readonly softRefusalMs: number;
  /** How often a failed newRepo task of one request is made again. */
  readonly repoRetries: number;
  /** Policies that deny, with the reason; every other policy allows. */
  readonly denyingPolicies: Readonly<Record<string, string>>;
  /** What mails say of this hub: the domain of its users' addresses and its pages; null: it makes no tasks for mails (`DisableNotifications`). */
  readonly notifications: { readonly emailDomain: string; readonly webUrl: string } | null;
  /** The largest XML-RPC request in bytes; uploads are not limited. */
  readonly maxRequestBytes: number;
}

/** Koji's defaults, but a scheduler that runs on every request: a demo should not wait a minute. */
export const defaultSettings: HubSettings = {
  kojiVersion: '1.35.3',
  sessionRenewalMs: 1440 * 60_000,
  runIntervalMs: 0,
  maxJobs: 15,
  capacityOvercommit: 5,
  softRefusalMs: 900_000,
  repoRetries: 1,
  denyingPolicies: { vm: 'Only admin/win-admin can do this via default policy' },
  // A development hub sends no mail.
  notifications: null,
  maxRequestBytes: 4 * 1024 * 1024,
};

/** What every part of the development hub works on. */
export interface Hub {
  readonly state: State;
  readonly paths: HubPaths;
  readonly clock: Clock;
  readonly settings: HubSettings;
}

/** Opens the hub that lives in `dir` (state.jsonl and the top directory koji/), making it when it is new. */
export function openHub(dir: string, clock: Clock, settings: Partial<HubSettings> = {}): Hub {
  const paths = new HubPaths(join(dir, 'koji'));
  for (const name of ['packages', 'repos', 'scratch', 'work'])
    mkdirSync(join(paths.topdir, name), { recursive: true });
  const state = new State(dir);
  const hub: Hub = { state, paths, clock, settings: { ...defaultSettings, ...settings } };
  if (state.tables.channels.all().length === 0) populate(hub);
  return hub;
}

/** What every Koji database starts with. */
function populate(hub: Hub): void {
  const { channels, users } = hub.state.tables;
  for (const name of ['default', 'createrepo']) channels.insert({ name });
  // kojira owns the newRepo tasks that repository requests lead to; that name cannot log in.
  users.insert({ name: 'kojira', password: null, permissions: ['repo'] });
  hub.state.commit();
}

/** The time in seconds, as the hub's database keeps it. */
export function nowSeconds(hub: Hub): number {
  return hub.clock.now() / 1000;
}

/** A new event: something about the configuration or the builds has changed. */
export function newEvent(hub: Hub): number {
  return hub.state.tables.events.insert({ time: nowSeconds(hub) }).id;
}

export function findUser(hub: Hub, name: string): UserRow | undefined {
  return hub.state.tables.users.find((user) => user.name === name);
}

/** Makes a user who logs in with a password, or gives an existing one these settings. */
export function ensureUser(hub: Hub, name: string, password: string, permissions: string[] = []): UserRow {
  const existing = findUser(hub, name);
  const { users } = hub.state.tables;
  return existing === undefined
    ? users.insert({ name, password, permissions })
    : users.update(existing.id, { password, permissions });
}

export interface NewHost {
  readonly name: string;
  readonly password: string;
  /** Names separated by spaces, such as `x86_64 i386`. */
  readonly arches: string;
  readonly capacity: number;
  /** Channels that do not exist are made. */
  readonly channels: readonly string[];
}

/** Makes a builder host with its user, enabled, or gives an existing one these settings. */
export function ensureHost(hub: Hub, wanted: NewHost): HostRow {
  const { hosts } = hub.state.tables;
  const user = ensureUser(hub, wanted.name, wanted.password);
  const channels = wanted.channels.map((name) => ensureChannel(hub, name));
  const columns = { arches: wanted.arches, capacity: wanted.capacity, enabled: true, channels };
  const existing = hosts.find((host) => host.user_id === user.id);
  if (existing !== undefined) return hosts.update(existing.id, columns);
  const idle = { ready: false, task_load: 0, update_time: null, maxjobs: null };
  return hosts.insert({ user_id: user.id, name: wanted.name, ...columns, ...idle });
}

function ensureChannel(hub: Hub, name: string): number {
  const { channels } = hub.state.tables;
  return (channels.find((channel) => channel.name === name) ?? channels.insert({ name })).id;
}

export interface NewTag {
  readonly name: string;
  readonly arches: string | null;
  readonly extra: TagRow['extra'];
  /** Names of tags it inherits from, the strongest first. */
  readonly parents: readonly string[];
  readonly groups: TagRow['groups'];
}

/** Makes a tag, or gives an existing one these settings. */
export function ensureTag(hub: Hub, wanted: NewTag): TagRow {
  const { tags } = hub.state.tables;
  const byName = (name: string) => tags.find((tag) => tag.name === name);
  const parents = wanted.parents.map((name, priority) => {
    const parent = byName(name);
    if (parent === undefined)
      throw new Error(`tag ${wanted.name} cannot inherit from ${name}: there is no such tag`);
    return { parent_id: parent.id, priority };
  });
  const existing = byName(wanted.name);
  const columns = { arches: wanted.arches, extra: wanted.extra, parents, groups: wanted.groups };
  return existing === undefined
    ? tags.insert({ name: wanted.name, ...columns, create_event: newEvent(hub) })
    : tags.update(existing.id, columns);
}

/** Makes a build target, or points an existing one at these tags. */
export function ensureTarget(hub: Hub, name: string, buildTag: TagRow, destinationTag: TagRow): void {
  const { targets } = hub.state.tables;
  const columns = { build_tag: buildTag.id, dest_tag: destinationTag.id };
  const existing = targets.find((target) => target.name === name);
  if (existing === undefined) targets.insert({ name, ...columns });
  else targets.update(existing.id, columns);
}
