import { z } from 'zod';
import { faultCodes } from '../../core/koji-faults.ts';
import type { RepoRequest } from '../../hub/api/repo-schema.ts';
import { parseNvr } from '../../rpm/nvr.ts';
import { defineTask, type TaskContext } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { optional } from '../params.ts';
import { hasBuilds } from '../tagged-builds.ts';
import { lookForRepo } from './older-hubs.ts';
import { Pauses } from './pauses.ts';

const WaitRepoParams = z.object({
  tag: z.union([z.int(), z.string()]),
  newer_than: optional(z.union([z.string(), z.number()])),
  nvrs: optional(z.array(z.string())),
  min_event: optional(z.union([z.int(), z.literal('last')])),
});

/** Waits until the hub has a repo of the tag that is new enough and holds the given builds; the result is the repo. */
export const waitRepo = defineTask({
  methods: ['waitrepo'],
  replay: false,
  weight: 0.2,
  signature: { names: ['tag', 'newer_than', 'nvrs', 'min_event'], schema: WaitRepoParams },

  purpose: ({ tag }) => ({ buildTag: [{ tag }] }),

  async run(params, context) {
    const { hub, signal, log } = context;
    if (!(await hub.version.hasRepoRequests(signal))) return lookForRepo(params, context);
    const { tag: tagName, newer_than: newerThan, nvrs, min_event: minEventParam } = params;
    const tag = await hub.tags.buildConfig(tagName, { signal });
    const builds = nvrs ?? [];
    for (const nvr of builds) parseNvr(nvr);
    let minEvent = await earliestEvent(context, tag.id, newerThan, minEventParam);
    const pauses = new Pauses(context);
    let request: number | null = null;
    for (;;) {
      if (builds.length > 0 && request === null) {
        while (!(await hasBuilds(context, tag.id, builds, null)))
          await pauses.next(context, () => `${builds.join(', ')} to appear in the ${tag.name} repo`);
        minEvent = await hub.tagHistory.lastChangeEvent(tag.id, signal);
      }
      const answer: RepoRequest =
        request === null
          ? await hub.repos.requestRepo(tag.id, { minEvent }, signal)
          : await hub.repos.checkRequest(request, signal);
      const { repo } = answer;
      if (repo !== null) {
        const fresh = minEvent === null || repo.createEvent >= minEvent;
        if (fresh && repo.tagId === tag.id && (await hasBuilds(context, tag.id, builds, repo.createEvent)))
          return repo.row;
        log.info({ repoId: repo.id }, 'the repo does not satisfy the conditions, requesting another');
        request = null;
        minEvent = await hub.tagHistory.lastChangeEvent(tag.id, signal);
      } else if (answer.request !== null) {
        if (request !== null && !answer.request.active)
          throw new TaskFault(faultCodes.generic, 'external', 'Repo request no longer active');
        request = answer.request.id;
        minEvent ??= answer.request.minEvent;
      }
      await pauses.next(context, () => `a new ${tag.name} repo`);
    }
  },
});

async function earliestEvent(
  { hub, signal }: TaskContext,
  tagId: number,
  newerThan: string | number | null,
  minEvent: number | 'last' | null,
): Promise<number | null> {
  if (newerThan === null)
    return minEvent === 'last' ? hub.tagHistory.lastChangeEvent(tagId, signal) : minEvent;
  if (minEvent !== null)
    throw new TaskFault(faultCodes.generic, 'request', 'newer_than and min_event args confict');
  if (typeof newerThan === 'string') {
    if (newerThan.toLowerCase() === 'now') return hub.tagHistory.lastChangeEvent(tagId, signal);
    throw new TaskFault(faultCodes.generic, 'request', `Invalid value for newer_than: ${newerThan}`);
  }
  const base = await hub.tagHistory.lastEventBefore(newerThan, signal);
  return (
    (await hub.tagHistory.firstChangeEvent(tagId, base, signal)) ??
    hub.tagHistory.lastChangeEvent(tagId, signal)
  );
}
