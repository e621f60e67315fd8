import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { double, timeText } from './call.ts';
import { required } from './faults.ts';
import type { Hub } from './hub.ts';
import type { BuildRow } from './rows.ts';

/** A build by id, name-version-release or a struct of the three. */
export const BuildReference = z.union([
  z.int(),
  z.string(),
  z.looseObject({ name: z.string(), version: z.string(), release: z.string() }),
]);
export type BuildReference = z.output<typeof BuildReference>;

/** The name of a build's package. */
export function nameOf(hub: Hub, build: BuildRow): string {
  return hub.state.tables.packages.mustGet(build.package_id).name;
}

/** A build's name-version-release. */
export function nvrOf(hub: Hub, build: BuildRow): string {
  return `${nameOf(hub, build)}-${build.version}-${build.release}`;
}

/** A build, undefined when there is none. */
export function findBuild(hub: Hub, wanted: BuildReference): BuildRow | undefined {
  const { builds } = hub.state.tables;
  if (typeof wanted === 'number') return builds.get(wanted);
  const nvr = typeof wanted === 'string' ? wanted : `${wanted.name}-${wanted.version}-${wanted.release}`;
  return builds.find((row) => nvrOf(hub, row) === nvr);
}

/** A build; 1000 when there is none. */
export function mustFindBuild(hub: Hub, wanted: BuildReference): BuildRow {
  const shown = typeof wanted === 'object' ? JSON.stringify(wanted) : wanted;
  return required(findBuild(hub, wanted), `No such build: ${shown}`);
}

/** A build as getBuild and completeBuild show it. */
export function toBuildInfo(hub: Hub, build: BuildRow): Record<string, RpcValue> {
  const name = nameOf(hub, build);
  const created = hub.state.tables.events.mustGet(build.create_event);
  return {
    id: build.id,
    build_id: build.id,
    package_id: build.package_id,
    package_name: name,
    name,
    version: build.version,
    release: build.release,
    epoch: build.epoch,
    nvr: nvrOf(hub, build),
    draft: false,
    state: build.state,
    task_id: build.task_id,
    owner_id: build.owner_id,
    owner_name: hub.state.tables.users.mustGet(build.owner_id).name,
    volume_id: 0,
    volume_name: 'DEFAULT',
    creation_event_id: created.id,
    creation_time: timeText(created.time),
    creation_ts: double(created.time),
    start_time: timeText(build.start_time),
    start_ts: double(build.start_time),
    completion_time: timeText(build.completion_time),
    completion_ts: double(build.completion_time),
    source: build.source,
    // What JSON can hold, XML-RPC can carry.
    extra: build.extra as RpcValue,
    cg_id: null,
    cg_name: null,
    promoter_id: null,
    promoter_name: null,
    promotion_time: null,
    promotion_ts: null,
  };
}
