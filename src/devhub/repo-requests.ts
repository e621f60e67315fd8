import { z } from 'zod';
import { type RpcValue, withKeywords } from '../hub/xmlrpc/codec.ts';
import { type Call, double, type MethodTable, method, NameOrId, parameterError, timeText } from './call.ts';
import { required } from './faults.ts';
import { findUser } from './hub.ts';
import { RepoOptionsArgument, toRepoInfo } from './repo-info.ts';
import { type RepoRequestRow, type RepoRow, repoState, taskState } from './rows.ts';
import { assertLogin } from './sessions.ts';
import { lastChange } from './tag-content.ts';
import { mustFindTag } from './tags.ts';
import { defaultPriority, makeTask, toTaskInfo } from './tasks.ts';

/** Koji's priority of newRepo tasks. */
const repoTaskPriority = 15;

/** Whether a repository is new enough for a request and has its options, and no others. */
function satisfies(
  repo: RepoRow,
  request: Pick<RepoRequestRow, 'tag_id' | 'at_event' | 'min_event' | 'opts'>,
): boolean {
  if (repo.state !== repoState.READY || repo.tag_id !== request.tag_id) return false;
  const isTimely =
    request.at_event === null
      ? repo.create_event >= (request.min_event ?? 0)
      : repo.create_event === request.at_event;
  const hasWanted = Object.entries(request.opts).every(([name, value]) => repo.opts[name] === value);
  const hasNoOthers = Object.entries(repo.custom_opts).every(([name, value]) => request.opts[name] === value);
  return isTimely && hasWanted && hasNoOthers;
}

/** Ends the requests that a repository which has just become READY answers (`repo_done_hook`). */
export function satisfyRequests(call: Call, repo: RepoRow): void {
  const { repoRequests } = call.hub.state.tables;
  for (const request of repoRequests.filter(
    (row) => row.active && row.repo_id === null && satisfies(repo, row),
  ))
    repoRequests.update(request.id, { repo_id: repo.id, active: false, update_time: call.now });
}

/** What kojira makes the hub do every few seconds: requests become newRepo tasks, failed tasks are made again. */
function checkQueue(call: Call): void {
  const { repoRequests, tasks } = call.hub.state.tables;
  const given: readonly number[] = [taskState.CANCELED, taskState.FAILED];
  for (const request of repoRequests.filter((row) => row.active && row.repo_id === null)) {
    const task = tasks.get(request.task_id);
    if (task !== undefined && !given.includes(task.state)) continue;
    if (request.tries > call.hub.settings.repoRetries) {
      repoRequests.update(request.id, { active: false, update_time: call.now });
      continue;
    }
    const task_id = makeRepoTask(call, request);
    repoRequests.update(request.id, { task_id, tries: request.tries + 1, update_time: call.now });
  }
}

function makeRepoTask(call: Call, request: RepoRequestRow): number {
  const tag = call.hub.state.tables.tags.mustGet(request.tag_id);
  const at = request.at_event === null ? {} : { event: request.at_event };
  const params = withKeywords([{ id: tag.id, name: tag.name }], { opts: request.opts, ...at });
  return makeTask(call, 'newRepo', params, {
    priority: repoTaskPriority,
    channel: 'createrepo',
    owner: findUser(call.hub, 'kojira')?.id,
  });
}

function toRequestInfo(call: Call, request: RepoRequestRow): RpcValue {
  const { users, tags, tasks } = call.hub.state.tables;
  return {
    id: request.id,
    owner: request.owner,
    owner_name: users.mustGet(request.owner).name,
    priority: request.priority,
    tag_id: request.tag_id,
    tag_name: tags.mustGet(request.tag_id).name,
    at_event: request.at_event,
    min_event: request.min_event,
    opts: request.opts,
    active: request.active,
    task_id: request.task_id,
    task_state: tasks.get(request.task_id)?.state ?? null,
    tries: request.tries,
    repo_id: request.repo_id,
    create_time: timeText(request.create_time),
    create_ts: double(request.create_time),
    update_time: timeText(request.update_time),
    update_ts: double(request.update_time),
  };
}

/** Asking for a repository that is new enough, and watching the request. */
export const repoRequestMethods: MethodTable = {
  'repo.request': method(
    {
      tag: NameOrId,
      min_event: z.union([z.int(), z.literal('last')]).nullish(),
      at_event: z.int().nullish(),
      opts: RepoOptionsArgument,
      priority: z.int().nullish(),
      force: z.boolean().default(false),
    },
    (call, args) => {
      const owner = assertLogin(call).user_id;
      const tag = mustFindTag(call.hub, args.tag);
      const { repos, repoRequests, events } = call.hub.state.tables;
      const at_event = args.at_event ?? null;
      if (at_event !== null && typeof args.min_event === 'number')
        throw parameterError('The min_event and at_event options conflict');
      for (const event of [at_event, args.min_event])
        if (typeof event === 'number' && events.get(event) === undefined)
          throw parameterError(`Invalid event: ${event}`);
      const asked = typeof args.min_event === 'number' ? args.min_event : lastChange(call.hub, tag);
      const min_event = at_event === null ? asked : null;
      const wanted = { tag_id: tag.id, at_event, min_event, opts: args.opts };
      const [repo] = repos
        .filter((row) => satisfies(row, wanted))
        .sort((a, b) => b.create_event - a.create_event);
      if (repo !== undefined && !args.force)
        return { repo: toRepoInfo(call.hub, repo), request: null, duplicate: false };
      const same = repoRequests.find((row) => row.active && row.tag_id === tag.id && covers(row, wanted));
      if (same !== undefined) return { repo: null, request: toRequestInfo(call, same), duplicate: true };
      const priority = defaultPriority + (args.priority ?? 0);
      const fresh = { active: true, task_id: null, tries: 0, repo_id: null };
      const times = { create_time: call.now, update_time: call.now };
      const request = repoRequests.insert({ owner, priority, ...wanted, ...fresh, ...times });
      const answer = { repo: null, request: toRequestInfo(call, request), duplicate: false };
      checkQueue(call);
      return answer;
    },
  ),
  'repo.checkRequest': method({ req_id: z.int() }, (call, { req_id }) => {
    checkQueue(call);
    const request = required(call.hub.state.tables.repoRequests.get(req_id), 'No such request');
    const repo = call.hub.state.tables.repos.get(request.repo_id);
    const task = call.hub.state.tables.tasks.get(request.task_id);
    const answer = {
      repo: repo === undefined ? null : toRepoInfo(call.hub, repo),
      request: toRequestInfo(call, request),
    };
    return repo === undefined && task !== undefined ? { ...answer, task: toTaskInfo(task) } : answer;
  }),
};

/** Whether a waiting request will also answer this one: same options, and at least as new. */
function covers(
  waiting: RepoRequestRow,
  wanted: Pick<RepoRequestRow, 'at_event' | 'min_event' | 'opts'>,
): boolean {
  if (JSON.stringify(waiting.opts) !== JSON.stringify(wanted.opts)) return false;
  if (wanted.at_event !== null) return waiting.at_event === wanted.at_event;
  return waiting.min_event !== null && waiting.min_event >= (wanted.min_event ?? 0);
}
