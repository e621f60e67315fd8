import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { toBuildInfo } from './build-info.ts';
import type { Call } from './call.ts';
import type { Hub } from './hub.ts';
import { type BuildRow, buildState, type TagRow, type TaskRow } from './rows.ts';
import { packageConfig } from './tag-content.ts';
import { findTag, findTarget, toTargetInfo } from './tags.ts';
import { decodeRequest, makeTask } from './tasks.ts';

/**
 * Makes the task that mails the end of a build, unless mail is switched off or there is no one to notify
 * (`build_notification`). It belongs to the user who has ended the build.
 */
export function notifyOfBuild(call: Call, build: BuildRow, task: TaskRow): void {
  const { notifications } = call.hub.settings;
  if (notifications === null) return;
  const target = task.method === 'build' ? findTarget(call.hub, decodeRequest(task)[1]) : undefined;
  const tag = target && call.hub.state.tables.tags.mustGet(target.dest_tag);
  const recipients = recipientsOf(call, build, tag, notifications.emailDomain);
  const targetInfo = target === undefined ? null : toTargetInfo(call.hub, target);
  const params = [recipients, buildInParameters(call.hub, build), targetInfo, notifications.webUrl];
  makeTask(call, 'buildNotification', params, {});
}

/** Times lie in a task's parameters as XML-RPC has them, without fraction and zone. */
function buildInParameters(hub: Hub, build: BuildRow): RpcValue {
  const info = toBuildInfo(hub, build);
  const times = ['creation_time', 'start_time', 'completion_time'].map((name) => {
    const time = info[name];
    return [name, typeof time === 'string' ? time.slice(0, 19).replaceAll('-', '').replace(' ', 'T') : null];
  });
  return { ...info, ...Object.fromEntries(times) };
}

/** A change of tags to be told, in the words of `host.tagNotification`. */
export interface TagChange {
  readonly is_successful: boolean;
  readonly tag_id: string | number | null;
  readonly from_id: string | number | null;
  readonly build_id: string | number;
  readonly user_id: number | null;
  readonly ignore_success?: boolean | null | undefined;
  readonly failure_msg: string;
}

/** Makes the task that mails that a build was tagged or could not be (`tag_notification`). */
export function notifyOfTag(call: Call, build: BuildRow, change: TagChange): void {
  const { notifications } = call.hub.settings;
  if (notifications === null || (change.is_successful && change.ignore_success === true)) return;
  const { is_successful, tag_id, from_id, build_id, user_id, ignore_success = false, failure_msg } = change;
  const tags = [tag_id, from_id].flatMap((wanted) =>
    wanted === null ? [] : (findTag(call.hub, wanted) ?? []),
  );
  const recipients = tags.flatMap((tag) => recipientsOf(call, build, tag, notifications.emailDomain));
  if (recipients.length === 0) return;
  const params = [[...new Set(recipients)], is_successful, tag_id, from_id, build_id, user_id];
  makeTask(call, 'tagNotification', [...params, ignore_success, failure_msg], {});
}

/** Who has submitted the build, and who owns the package in the tag; there are no subscriptions here (`get_notification_recipients`). */
function recipientsOf(call: Call, build: BuildRow, tag: TagRow | undefined, domain: string): string[] {
  const config = tag && packageConfig(call.hub, tag, build.package_id);
  const owner = config === undefined || config.row.blocked ? [] : [config.row.owner_id];
  const users = new Set([build.owner_id, ...owner]);
  return [...users].map((id) => `${call.hub.state.tables.users.mustGet(id).name}@${domain}`);
}

/** Cancels the builds that a cancelled task was making (`cancel_build`). */
export function cancelBuildsOf(call: Call, task: TaskRow): void {
  const { builds } = call.hub.state.tables;
  for (const build of builds.filter((row) => row.task_id === task.id && row.state === buildState.BUILDING)) {
    const canceled = builds.update(build.id, { state: buildState.CANCELED, completion_time: call.now });
    notifyOfBuild(call, canceled, task);
  }
}
