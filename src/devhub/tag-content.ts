import type { Hub } from './hub.ts';
import type { BuildRow, RowOf, RpmRow, TagRow } from './rows.ts';

/** One step of a tag's inheritance, as getFullInheritance shows it. */
export interface InheritanceLink {
  readonly childId: number;
  readonly parent: TagRow;
  readonly priority: number;
  readonly depth: number;
}

/** All tags a tag inherits from, depth first, the strongest first; a tag counts once (`readFullInheritance`). */
export function inheritanceOf(hub: Hub, tag: TagRow): InheritanceLink[] {
  const links: InheritanceLink[] = [];
  const seen = new Set([tag.id]);
  const follow = (child: TagRow, depth: number): void => {
    for (const { parent_id, priority } of [...child.parents].sort((a, b) => a.priority - b.priority)) {
      if (seen.has(parent_id)) continue;
      seen.add(parent_id);
      const parent = hub.state.tables.tags.mustGet(parent_id);
      links.push({ childId: child.id, parent, priority, depth });
      follow(parent, depth + 1);
    }
  };
  follow(tag, 1);
  return links;
}

/** A tag and those it inherits from, in the order in which they are looked through. */
export function lineageOf(hub: Hub, tag: TagRow): TagRow[] {
  return [tag, ...inheritanceOf(hub, tag).map((link) => link.parent)];
}

/** The settings of a package in a tag, its own or inherited; undefined when the package is in no list. */
export function packageConfig(
  hub: Hub,
  tag: TagRow,
  packageId: number,
): { row: RowOf<'tagPackages'>; tag: TagRow } | undefined {
  for (const candidate of lineageOf(hub, tag)) {
    const row = hub.state.tables.tagPackages.find(
      (entry) => entry.tag_id === candidate.id && entry.package_id === packageId,
    );
    if (row !== undefined) return { row, tag: candidate };
  }
  return undefined;
}

/** Names of the packages that are blocked in a tag. */
export function blockedPackages(hub: Hub, tag: TagRow): string[] {
  const { packages } = hub.state.tables;
  return packages
    .filter((row) => packageConfig(hub, tag, row.id)?.row.blocked === true)
    .map((row) => row.name);
}

/**
 * The builds in a tag at an event, inherited ones included: of each package the one tagged last in the strongest
 * tag, or all of them when the tag says `repo_include_all`.
 */
export function taggedBuilds(hub: Hub, tag: TagRow, event: number): BuildRow[] {
  const all = tag.extra['repo_include_all'] === true;
  const builds = new Map<number, BuildRow>();
  const seenPackages = new Set<number>();
  for (const candidate of lineageOf(hub, tag)) {
    const listed = hub.state.tables.tagListing
      .filter((row) => row.tag_id === candidate.id && row.create_event <= event)
      .filter((row) => row.revoke_event === null || row.revoke_event > event)
      .sort((a, b) => b.create_event - a.create_event || b.id - a.id);
    for (const { build_id } of listed) {
      const build = hub.state.tables.builds.mustGet(build_id);
      const config = packageConfig(hub, tag, build.package_id);
      if (config === undefined || config.row.blocked) continue;
      if (!all && seenPackages.has(build.package_id)) continue;
      seenPackages.add(build.package_id);
      builds.set(build.id, build);
    }
  }
  return [...builds.values()];
}

/** The rpms of some builds, in the order of their ids. */
export function rpmsOfBuilds(hub: Hub, builds: readonly BuildRow[]): RpmRow[] {
  const ids = new Set(builds.map((build) => build.id));
  return hub.state.tables.rpms.filter((rpm) => rpm.build_id !== null && ids.has(rpm.build_id));
}

/** The last event that changed what a tag contains, its own or inherited (`tag_last_change_event`). */
export function lastChange(hub: Hub, tag: TagRow, before = Number.POSITIVE_INFINITY): number {
  return Math.max(0, ...changesOf(hub, tag).filter((event) => event < before));
}

/** The first event after `after` that changed what a tag contains; null when nothing did. */
export function firstChange(hub: Hub, tag: TagRow, after: number): number | null {
  const later = changesOf(hub, tag).filter((event) => event > after);
  return later.length === 0 ? null : Math.min(...later);
}

function changesOf(hub: Hub, tag: TagRow): number[] {
  const tags = lineageOf(hub, tag);
  const ids = new Set(tags.map((row) => row.id));
  const { tagListing, tagPackages, tagExternalRepos } = hub.state.tables;
  const listings = tagListing.filter((row) => ids.has(row.tag_id));
  return [
    ...tags.map((row) => row.create_event),
    ...listings.map((row) => row.create_event),
    ...listings.flatMap((row) => (row.revoke_event === null ? [] : [row.revoke_event])),
    ...tagPackages.filter((row) => ids.has(row.tag_id)).map((row) => row.create_event),
    ...tagExternalRepos.filter((row) => ids.has(row.tag_id)).map((row) => row.create_event),
  ];
}
