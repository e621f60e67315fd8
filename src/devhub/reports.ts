import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { type RpmHeader, readRpmHeader } from '../rpm/header.ts';
import { rpmTag } from '../rpm/header-tags.ts';
import { nameOf } from './build-info.ts';
import { type Call, type MethodTable, method, NameOrId } from './call.ts';
import { generic } from './faults.ts';
import { toHostInfo } from './hosts.ts';
import type { Hub } from './hub.ts';
import { rpmPath } from './paths.ts';
import type { UserRow } from './rows.ts';
import { childrenOf, toTaskInfo, toTaskInfoWithRequest } from './tasks.ts';

const userStatus = { normal: 0 } as const;
const userType = { normal: 0, host: 1 } as const;

function toUserInfo(hub: Hub, user: UserRow): RpcValue {
  const isHost = hub.state.tables.hosts.find((host) => host.user_id === user.id) !== undefined;
  return {
    id: user.id,
    name: user.name,
    status: userStatus.normal,
    usertype: isHost ? userType.host : userType.normal,
    krb_principals: [],
  };
}

/** A user by id, name or a struct with one of them; nothing stands for the session's own. */
function findUser(call: Call, wanted: string | number | null): UserRow | undefined {
  const { users } = call.hub.state.tables;
  if (wanted !== null) return users.find((row) => row.id === wanted || row.name === wanted);
  if (call.session === undefined) throw generic('No user provided');
  return users.get(call.session.user_id);
}

/** All tasks below one, by the number of their parent as a text. */
function descendantsOf(call: Call, taskId: number, withRequest: boolean): Record<string, RpcValue> {
  const children = childrenOf(call, taskId).toSorted((a, b) => a.id - b.id);
  const own = { [String(taskId)]: children.map(withRequest ? toTaskInfoWithRequest : toTaskInfo) };
  return Object.assign(own, ...children.map((child) => descendantsOf(call, child.id, withRequest)));
}

/** The paths of a task's files in its directory; links count as what they lead to. */
function outputOf(hub: Hub, taskId: number): readonly string[] {
  const directory = hub.paths.taskOutput(taskId);
  if (!existsSync(directory)) return [];
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false)
    .map((path) => relative(directory, path));
}

/** The changelog of a build's source package, as it stands there: the newest first. */
async function changelogOf(hub: Hub, buildId: number): Promise<readonly Record<string, RpcValue>[]> {
  const { builds, rpms } = hub.state.tables;
  const build = builds.get(buildId);
  const srpm = rpms.find((row) => row.build_id === buildId && row.arch === 'src');
  if (build === undefined || srpm === undefined) return [];
  const { version, release } = build;
  const path = join(hub.paths.build({ name: nameOf(hub, build), version, release }), rpmPath(srpm));
  return existsSync(path) ? toChangelog(await readRpmHeader(path)) : [];
}

function toChangelog(header: RpmHeader): readonly Record<string, RpcValue>[] {
  const names = header.values(rpmTag.changelogName);
  const texts = header.values(rpmTag.changelogText);
  return header.values(rpmTag.changelogTime).map((time, at) => ({
    date: new Date(Number(time) * 1000).toISOString().slice(0, 19).replace('T', ' '),
    date_ts: Number(time),
    author: names[at] ?? '',
    text: texts[at] ?? '',
  }));
}

/** What notification mails are made from; everything here only reads. */
export const reportMethods: MethodTable = {
  getUser: method({ userInfo: NameOrId.nullish(), strict: z.boolean().default(false) }, (call, args) => {
    const user = findUser(call, args.userInfo ?? null);
    if (user !== undefined) return toUserInfo(call.hub, user);
    if (args.strict) throw generic(`No such user: ${args.userInfo}`);
    return null;
  }),
  getHost: method(
    { hostInfo: NameOrId, strict: z.boolean().default(false) },
    (call, { hostInfo, strict }) => {
      const host = call.hub.state.tables.hosts.find((row) => row.id === hostInfo || row.name === hostInfo);
      if (host !== undefined) return toHostInfo(host);
      if (strict) throw generic(`Invalid hostInfo: ${hostInfo}`);
      return null;
    },
  ),
  getTaskDescendents: method(
    { task_id: z.int(), request: z.boolean().default(false) },
    (call, { task_id, request }) => descendantsOf(call, task_id, request),
  ),
  listTaskOutput: method(
    { taskID: z.int(), stat: z.literal(false).default(false), all_volumes: z.boolean().default(false) },
    (call, { taskID, all_volumes }) => {
      const names = outputOf(call.hub, taskID);
      return all_volumes ? Object.fromEntries(names.map((name) => [name, ['DEFAULT']])) : names;
    },
  ),
  getChangelogEntries: method(
    { buildID: z.int(), queryOpts: z.looseObject({ limit: z.int().optional() }).nullish() },
    async (call, { buildID, queryOpts }) => {
      const entries = await changelogOf(call.hub, buildID);
      return entries.slice(0, queryOpts?.limit);
    },
  ),
};
