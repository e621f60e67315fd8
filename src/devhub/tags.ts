import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { type Call, double, type MethodTable, method, NameOrId } from './call.ts';
import { generic, required } from './faults.ts';
import type { Hub } from './hub.ts';
import type { RowOf, TagRow } from './rows.ts';
import { inheritanceOf, lineageOf, packageConfig } from './tag-content.ts';

const event = z.int().nullish();

/** A tag by name or id. */
export function findTag(hub: Hub, tag: string | number, atEvent?: number | null): TagRow | undefined {
  return hub.state.tables.tags.find(
    (row) =>
      (typeof tag === 'number' ? row.id === tag : row.name === tag) &&
      (typeof atEvent !== 'number' || row.create_event <= atEvent),
  );
}

export function mustFindTag(hub: Hub, tag: string | number, atEvent?: number | null): TagRow {
  return required(findTag(hub, tag, atEvent), `No such tagInfo: ${JSON.stringify(tag)}`);
}

function toTagInfo(tag: TagRow, atEvent: number | null | undefined): Record<string, RpcValue> {
  return {
    id: tag.id,
    name: tag.name,
    perm_id: null,
    perm: null,
    arches: tag.arches,
    locked: false,
    maven_support: false,
    maven_include_all: false,
    // What JSON can hold, XML-RPC can carry.
    extra: tag.extra as Record<string, RpcValue>,
    ...(typeof atEvent === 'number' ? { query_event: atEvent } : {}),
  };
}

/** A tag with the arches and extra settings it inherits. */
function buildConfig(call: Call, tag: TagRow, atEvent: number | null | undefined): RpcValue {
  const info = toTagInfo(tag, atEvent);
  const extra: Record<string, RpcValue> = {};
  const extraFrom: Record<string, RpcValue> = {};
  let { arches } = tag;
  let archesFrom: RpcValue = null;
  for (const source of lineageOf(call.hub, tag)) {
    const origin = { id: source.id, name: source.name };
    if (arches === null && source.arches !== null) {
      arches = source.arches;
      archesFrom = origin;
    }
    for (const [key, value] of Object.entries(source.extra)) {
      if (key in extra) continue;
      extra[key] = value as RpcValue;
      if (source.id !== tag.id) extraFrom[key] = origin;
    }
  }
  return { ...info, arches, extra, config_inheritance: { extra: extraFrom, arches: archesFrom } };
}

/** A build target by name or id. */
export function findTarget(hub: Hub, wanted: RpcValue | undefined): RowOf<'targets'> | undefined {
  return hub.state.tables.targets.find((row) => row.name === wanted || row.id === wanted);
}

/** A build target as getBuildTarget shows it. */
export function toTargetInfo(hub: Hub, target: RowOf<'targets'>): Record<string, RpcValue> {
  const { tags } = hub.state.tables;
  const { id, name, build_tag, dest_tag } = target;
  const build_tag_name = tags.mustGet(build_tag).name;
  return { id, name, build_tag, build_tag_name, dest_tag, dest_tag_name: tags.mustGet(dest_tag).name };
}

function findPackageId(hub: Hub, wanted: string | number): number | undefined {
  return hub.state.tables.packages.find((row) => row.name === wanted || row.id === wanted)?.id;
}

/** Tags, targets and what a package may do in a tag. */
export const tagMethods: MethodTable = {
  getTag: method(
    { tagInfo: NameOrId, strict: z.boolean().default(false), event, blocked: z.boolean().optional() },
    (call, args) => {
      const find = args.strict ? mustFindTag : findTag;
      const tag = find(call.hub, args.tagInfo, args.event);
      return tag === undefined ? null : toTagInfo(tag, args.event);
    },
  ),
  getBuildConfig: method({ tag: NameOrId, event }, (call, args) =>
    buildConfig(call, mustFindTag(call.hub, args.tag, args.event), args.event),
  ),
  getBuildTarget: method(
    { info: NameOrId, event, strict: z.boolean().default(false) },
    (call, { info, strict }) => {
      const target = findTarget(call.hub, info);
      if (target !== undefined) return toTargetInfo(call.hub, target);
      if (strict) throw generic(`No such build target: ${info}`);
      return null;
    },
  ),
  getPackageConfig: method({ tag: NameOrId, pkg: NameOrId, event }, (call, args) => {
    const tag = findTag(call.hub, args.tag);
    const packageId = findPackageId(call.hub, args.pkg);
    const config = tag && packageId !== undefined ? packageConfig(call.hub, tag, packageId) : undefined;
    if (config === undefined) return null;
    return {
      package_id: config.row.package_id,
      package_name: call.hub.state.tables.packages.mustGet(config.row.package_id).name,
      tag_id: config.tag.id,
      tag_name: config.tag.name,
      owner_id: config.row.owner_id,
      owner_name: call.hub.state.tables.users.mustGet(config.row.owner_id).name,
      extra_arches: null,
      blocked: config.row.blocked,
    };
  }),
  getFullInheritance: method(
    { tag: NameOrId, event, reverse: z.literal(false).default(false) },
    (call, { tag }) =>
      inheritanceOf(call.hub, mustFindTag(call.hub, tag)).map((link) => ({
        child_id: link.childId,
        parent_id: link.parent.id,
        name: link.parent.name,
        priority: link.priority,
        maxdepth: null,
        intransitive: false,
        noconfig: false,
        pkg_filter: '',
        nextdepth: null,
        currdepth: link.depth,
        filter: [],
      })),
  ),
  getLastEvent: method({}, (call) => {
    const last = required(call.hub.state.tables.events.all().at(-1), 'query returned no rows');
    return { id: last.id, ts: double(last.time) };
  }),
};
