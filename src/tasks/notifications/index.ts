import { z } from 'zod';
import { faultCodes } from '../../core/koji-faults.ts';
import { EndedBuild } from '../../hub/api/notifications.ts';
import { buildStates } from '../../hub/api/schema.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { defineTask, type TaskContext } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { flag, optional } from '../params.ts';
import { toBuildMail } from './build-mail.ts';
import { addressOf, type Mail, toMessage } from './mail.ts';
import { parseMailHost, sendMail } from './mail-server.ts';
import { toTagMail } from './tag-mail.ts';
import { failureOf, reportTasks } from './task-report.ts';

/** How many entries of the changelog a mail has. */
const changelogEntries = 3;

const BuildNotificationParams = z.object({
  recipients: z.array(z.string()),
  build: EndedBuild,
  target: z.object({ dest_tag_name: z.string() }).nullable(),
  weburl: z.string(),
});

/** Mails the end of a build to those whom the hub names (`builder/kojid BuildNotificationTask`). */
export const buildNotification = defineTask({
  methods: ['buildNotification'],
  weight: 0.1,
  signature: { names: ['recipients', 'build', 'target', 'weburl'], schema: BuildNotificationParams },

  async run({ recipients, build, target, weburl: webUrl }, context) {
    const { hub, signal, task, settings, log } = context;
    if (recipients.length === 0) {
      log.debug('no recipients, mail not sent');
      return null;
    }
    const report = {
      build,
      status: buildStateName(build.state),
      destTag: target?.dest_tag_name ?? null,
      tasks: await reportTasks(build.taskId, hub.notifications, signal),
      failure:
        build.state === buildStates.failed ? await failureOf(build.taskId, hub.notifications, signal) : null,
      canceler: build.state === buildStates.canceled ? await ownerOf(task.id, context) : null,
      changelog: await hub.notifications.changelog(build.id, changelogEntries, signal),
    };
    const mail = toBuildMail(report, {
      from: settings.mail.from,
      to: recipients,
      webUrl,
      topUrl: settings.topUrl,
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    });
    await deliver(mail, context);
    return `sent notification of build ${build.id} to: ${recipients.join(', ')}`;
  },
});

/** A tag, build or user as the creator of the task wrote it: id, name, or the hub's row. */
const Reference = z.custom<RpcValue>((value) => value !== undefined);

const TagNotificationParams = z.object({
  recipients: z.array(z.string()),
  is_successful: flag,
  tag_info: Reference,
  from_info: Reference,
  build_info: Reference,
  user_info: Reference,
  ignore_success: optional(flag),
  failure_msg: optional(z.string()),
});

/** Mails that a build was tagged or untagged, or could not be, to those whom the hub names (`builder/kojid TagNotificationTask`). */
export const tagNotification = defineTask({
  methods: ['tagNotification'],
  weight: 0.1,
  signature: {
    names: [
      ...['recipients', 'is_successful', 'tag_info', 'from_info', 'build_info', 'user_info'],
      ...['ignore_success', 'failure_msg'],
    ],
    schema: TagNotificationParams,
  },

  async run(params, context) {
    const { recipients, is_successful: succeeded } = params;
    const { hub, signal, task, settings, log } = context;
    if (recipients.length === 0 || (succeeded && params.ignore_success)) {
      log.debug({ recipients: recipients.length, succeeded }, 'no subscribers, mail not sent');
      return null;
    }
    const nameOfTag = async (tag: RpcValue): Promise<string | null> =>
      isGiven(tag) ? known(await hub.notifications.tagName(tag, signal), 'tag', tag) : null;
    const fromTag = await nameOfTag(params.from_info);
    const intoTag = await nameOfTag(params.tag_info);
    if (fromTag === null && intoTag === null) {
      throw new TaskFault(faultCodes.parameter, 'request', 'a tagNotification needs tag_info or from_info');
    }
    const { build_info: build, user_info: user } = params;
    const report = {
      build: known(await hub.notifications.build(build, signal), 'build', build),
      userName: known(await hub.notifications.userName(user, signal), 'user', user),
      fromTag,
      intoTag,
      failure: succeeded ? null : (params.failure_msg ?? ''),
    };
    await deliver(toTagMail(report, { from: settings.mail.from, to: recipients }), context);
    return `sent notification of tag operation ${task.id} to: ${recipients.join(', ')}`;
  },
});

async function deliver(mail: Mail, context: TaskContext): Promise<void> {
  const { settings, task, clock, signal, log, buildrootHost, history } = context;
  const { host, user, password } = settings.mail;
  const from = addressOf(mail.from);
  if (from === null) {
    const message = `"${mail.from}" is not a mail address (correct from_addr in kojid.conf of this builder)`;
    throw new TaskFault(faultCodes.generic, 'builder', message);
  }
  const login = user === null || password === null || user === '' ? null : { user, password };
  // The same whenever and wherever the task runs, so that a mail sent twice is one to its readers.
  const id = `${task.method}-${task.id}@${new URL(settings.server).hostname}`;
  const rejected = await history.once('mail', z.array(z.string()), async () => [
    ...(await sendMail(
      { ...parseMailHost(host), login, ownName: buildrootHost.site.buildHost },
      { from, to: mail.to.map((recipient) => addressOf(recipient) ?? recipient) },
      toMessage(mail, { date: new Date(clock.now()), id }),
      ...[clock, signal],
    )),
  ]);
  if (rejected.length > 0) log.warn({ rejected }, 'the mail server rejected these recipients');
}

/** A task is owned by who caused it: a notification of a cancelled build by who cancelled it. */
async function ownerOf(taskId: number, { hub, signal }: TaskContext): Promise<string | null> {
  const owner = (await hub.host.taskInfo(taskId, { signal }))?.ownerId ?? null;
  return owner === null ? null : hub.notifications.userName(owner, signal);
}

function buildStateName(state: number): string {
  const [name] = Object.entries(buildStates).find(([, number]) => number === state) ?? [];
  if (name === undefined) throw new TaskFault(faultCodes.parameter, 'request', `no build state is ${state}`);
  return name;
}

/** What Python takes for true. */
function isGiven(reference: RpcValue): boolean {
  return reference !== null && reference !== 0 && reference !== '' && reference !== false;
}

function known<T>(found: T | null, what: string, reference: RpcValue): T {
  if (found !== null) return found;
  throw new TaskFault(faultCodes.generic, 'request', `No such ${what}: ${JSON.stringify(reference)}`);
}
