import { rmSync } from 'node:fs';
import { z } from 'zod';
import { faultCodes } from '../core/koji-faults.ts';
import { BuildReference, findBuild, mustFindBuild, nameOf, nvrOf, toBuildInfo } from './build-info.ts';
import { type Call, double, type MethodTable, method, NameOrId } from './call.ts';
import { generic, Refusal, required } from './faults.ts';
import type { Hub } from './hub.ts';
import { notifyOfBuild, notifyOfTag } from './notifications.ts';
import { assertPolicy } from './policy.ts';
import { type BuildRow, buildState, stateName } from './rows.ts';
import { assertHost } from './sessions.ts';
import { packageConfig } from './tag-content.ts';
import { mustFindTag } from './tags.ts';
import { assertTaskOfHost } from './tasks.ts';

const BuildData = z.looseObject({
  task_id: z.int(),
  name: z.string().optional(),
  version: z.string().optional(),
  release: z.string().optional(),
  epoch: z.int().nullish(),
  source: z.string().nullish(),
  extra: z.json().optional(),
});

/** Makes a build that is BUILDING, or takes up again one that failed or was cancelled (`new_build`, `recycle_build`). */
function initBuild(call: Call, data: z.output<typeof BuildData>, owner: number): number {
  const { builds } = call.hub.state.tables;
  const name = required(data.name, 'No name or package id provided for build');
  const version = required(data.version, 'No version value for build');
  const release = required(data.release, 'No release value for build');
  if (data.epoch === undefined) throw generic('No epoch value for build');
  const columns = {
    epoch: data.epoch,
    state: buildState.BUILDING,
    task_id: data.task_id,
    owner_id: owner,
    source: data.source ?? null,
    extra: data.extra ?? null,
    start_time: call.now,
    completion_time: null,
  };
  const existing = findBuild(call.hub, { name, version, release });
  if (existing === undefined) {
    const package_id = ensurePackage(call.hub, name);
    return builds.insert({ package_id, version, release, ...columns, create_event: call.event() }).id;
  }
  if (existing.state === buildState.BUILDING) {
    if (existing.task_id === data.task_id) return existing.id;
    throw generic(`Build already in progress (task ${existing.task_id})`);
  }
  if (existing.state !== buildState.FAILED && existing.state !== buildState.CANCELED)
    throw generic(`Build already exists (id=${existing.id}, state=${stateName(buildState, existing.state)})`);
  builds.update(existing.id, { ...columns, create_event: call.event() });
  rmSync(call.hub.paths.build({ name, version, release }), { recursive: true, force: true });
  return existing.id;
}

/** The id of a package name, new or known. */
export function ensurePackage(hub: Hub, name: string): number {
  const { packages } = hub.state.tables;
  return (packages.find((row) => row.name === name) ?? packages.insert({ name })).id;
}

const tagError = (message: string) => new Refusal(faultCodes.tag, message);

/** Puts a build into a tag: it must be complete, allowed in the tag, and not be there yet. */
function tagBuild(call: Call, tagName: string | number, build: BuildRow, force: boolean): void {
  const tag = mustFindTag(call.hub, tagName);
  const config = packageConfig(call.hub, tag, build.package_id);
  const name = nameOf(call.hub, build);
  if (config === undefined) throw tagError(`Package ${name} not in list for ${tag.name}`);
  if (config.row.blocked) throw tagError(`Package ${name} blocked in ${tag.name}`);
  const nvr = nvrOf(call.hub, build);
  if (build.state !== buildState.COMPLETE)
    throw tagError(`build ${nvr} not complete: state ${stateName(buildState, build.state)}`);
  const { tagListing } = call.hub.state.tables;
  const listed = activeListing(call, tag.id, build.id);
  if (listed !== undefined) {
    if (!force) throw tagError(`build ${nvr} already tagged (${tag.name})`);
    tagListing.update(listed.id, { revoke_event: call.event() });
  }
  tagListing.insert({ tag_id: tag.id, build_id: build.id, create_event: call.event(), revoke_event: null });
}

function activeListing(call: Call, tagId: number, buildId: number) {
  return call.hub.state.tables.tagListing.find(
    (row) => row.tag_id === tagId && row.build_id === buildId && row.revoke_event === null,
  );
}

function untagBuild(call: Call, tagName: string | number, build: BuildRow): void {
  const tag = mustFindTag(call.hub, tagName);
  const listed = activeListing(call, tag.id, build.id);
  if (listed === undefined) throw tagError(`build ${nvrOf(call.hub, build)} not in tag ${tag.name}`);
  call.hub.state.tables.tagListing.update(listed.id, { revoke_event: call.event() });
}

/** The average of a package's builds that ran as tasks, in seconds; months count 30 days. */
function averageDuration(call: Call, packageName: string | number, months: number | null): number | null {
  const { builds, events, packages } = call.hub.state.tables;
  const wanted = packages.find((row) => row.name === packageName || row.id === packageName);
  const since = months === null ? 0 : call.now - months * 30 * 24 * 3600;
  const durations = builds
    .filter(
      (row) => row.package_id === wanted?.id && row.state === buildState.COMPLETE && row.task_id !== null,
    )
    .flatMap((row) => (row.completion_time === null ? [] : [{ row, end: row.completion_time }]))
    .filter(({ end }) => end > since)
    .map(({ row, end }) => end - events.mustGet(row.create_event).time);
  return durations.length === 0 ? null : durations.reduce((sum, value) => sum + value, 0) / durations.length;
}

/** The records of builds, and tagging them. */
export const buildMethods: MethodTable = {
  'host.initBuild': method({ data: BuildData }, (call, { data }) => {
    const task = assertTaskOfHost(call, data.task_id, assertHost(call).id);
    return initBuild(call, data, task.owner);
  }),
  'host.failBuild': method({ task_id: z.int(), build_id: z.int() }, (call, { task_id, build_id }) => {
    const task = assertTaskOfHost(call, task_id, assertHost(call).id);
    const build = mustFindBuild(call.hub, build_id);
    if (build.state !== buildState.BUILDING)
      throw generic(`cannot update build ${build.id}, state: ${stateName(buildState, build.state)}`);
    const failed = { state: buildState.FAILED, completion_time: call.now };
    notifyOfBuild(call, call.hub.state.tables.builds.update(build.id, failed), task);
    return null;
  }),
  'host.tagBuild': method(
    {
      task_id: z.int(),
      tag: NameOrId,
      build: BuildReference,
      force: z.boolean().nullish(),
      fromtag: NameOrId.nullish(),
    },
    (call, { task_id, tag, build, force, fromtag }) => {
      assertTaskOfHost(call, task_id, assertHost(call).id);
      const row = mustFindBuild(call.hub, build);
      mustFindTag(call.hub, tag);
      assertPolicy(call, 'tag');
      if (fromtag !== undefined && fromtag !== null) untagBuild(call, fromtag, row);
      tagBuild(call, tag, row, force ?? false);
      return null;
    },
  ),
  'host.tagNotification': method(
    {
      is_successful: z.boolean(),
      tag_id: NameOrId.nullable(),
      from_id: NameOrId.nullable(),
      build_id: z.union([z.int(), z.string()]),
      user_id: z.int().nullable(),
      ignore_success: z.boolean().nullish(),
      failure_msg: z.string().default(''),
    },
    (call, change) => {
      assertHost(call);
      const build = findBuild(call.hub, change.build_id);
      if (build !== undefined) notifyOfTag(call, build, change);
      return null;
    },
  ),
  getBuild: method(
    { buildInfo: BuildReference, strict: z.boolean().default(false) },
    (call, { buildInfo, strict }) => {
      const build = strict ? mustFindBuild(call.hub, buildInfo) : findBuild(call.hub, buildInfo);
      return build === undefined ? null : toBuildInfo(call.hub, build);
    },
  ),
  listTags: method({ build: BuildReference }, (call, { build }) => {
    const { id } = mustFindBuild(call.hub, build);
    const { tagListing, tags } = call.hub.state.tables;
    const listed = tagListing.filter((row) => row.build_id === id && row.revoke_event === null);
    return listed.map(({ tag_id }) => ({ id: tag_id, name: tags.mustGet(tag_id).name }));
  }),
  getAverageBuildDuration: method({ package: NameOrId, age: z.int().nullish() }, (call, args) =>
    double(averageDuration(call, args.package, args.age ?? null)),
  ),
};
