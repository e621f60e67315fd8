import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { canonArch } from '../rpm/arch.ts';
import { toComps } from './comps.ts';
import type { Hub } from './hub.ts';
import { rpmPath } from './paths.ts';
import type { BuildRow, RepoRow, RpmRow, TagRow } from './rows.ts';
import { blockedPackages, lineageOf, rpmsOfBuilds, taggedBuilds } from './tag-content.ts';

/**
 * Writes what createrepo works from (`repo_init`): repo.json, groups/comps.xml, and per arch the list of packages
 * by path and by database row, the list of blocked names, and a link to the hub's top directory.
 */
export function writeRepoFiles(hub: Hub, tag: TagRow, repo: RepoRow): void {
  const directory = hub.paths.repo(repo.id, tag.name);
  mkdirSync(join(directory, 'groups'), { recursive: true });
  writeFileSync(join(directory, 'groups', 'comps.xml'), toComps(groupsOf(hub, tag)));
  writeFileSync(join(directory, 'repo.json'), toRepoJson(tag, repo));
  const builds = taggedBuilds(hub, tag, repo.create_event);
  const buildDirectories = new Map(builds.map((build) => [build.id, relativeBuildDirectory(hub, build)]));
  const rpms = rpmsOfBuilds(hub, builds).filter(
    (rpm) => repo.opts['debuginfo'] === true || !isDebugInfo(rpm.name),
  );
  const blocked = blockedPackages(hub, tag);
  for (const arch of archesOf(tag, repo)) {
    const archDirectory = join(directory, arch);
    mkdirSync(archDirectory);
    symlinkSync(relative(archDirectory, hub.paths.topdir), join(archDirectory, 'toplink'));
    const included = rpms.filter((rpm) => belongsTo(rpm, arch, repo));
    const paths = included.map((rpm) => `toplink/${buildDirectories.get(rpm.build_id ?? 0)}/${rpmPath(rpm)}`);
    writeFileSync(join(archDirectory, 'pkglist'), toLines(paths));
    writeFileSync(join(archDirectory, 'rpmlist.jsonl'), toLines(included.map(toRpmLine)));
    writeFileSync(join(archDirectory, 'blocklist'), toLines(blocked));
  }
}

function archesOf(tag: TagRow, repo: RepoRow): Set<string> {
  const arches = (tag.arches ?? '')
    .split(/\s+/)
    .filter((arch) => arch !== '')
    .map(canonArch);
  const separate = repo.opts['separate_src'] === true ? ['src'] : [];
  return new Set([...separate, ...arches.filter((arch) => arch !== 'src' && arch !== 'noarch')]);
}

function belongsTo(rpm: RpmRow, repoArch: string, repo: RepoRow): boolean {
  if (rpm.arch === 'src') return repoArch === 'src' || repo.opts['src'] === true;
  if (rpm.arch === 'noarch') return repoArch !== 'src';
  return canonArch(rpm.arch) === repoArch;
}

/** Groups of a tag and of those it inherits from; a group is taken from the strongest tag that has it. */
function groupsOf(hub: Hub, tag: TagRow): TagRow['groups'] {
  const groups = new Map<string, TagRow['groups'][number]>();
  for (const source of lineageOf(hub, tag))
    for (const group of source.groups) if (!groups.has(group.name)) groups.set(group.name, group);
  return [...groups.values()];
}

function toRepoJson(tag: TagRow, repo: RepoRow): string {
  const content = {
    id: repo.id,
    tag: tag.name,
    tag_id: tag.id,
    task_id: repo.task_id,
    event_id: repo.create_event,
    opts: repo.opts,
    custom_opts: repo.custom_opts,
    with_src: repo.opts['src'] ?? false,
    with_separate_src: repo.opts['separate_src'] ?? false,
    with_debuginfo: repo.opts['debuginfo'] ?? false,
  };
  return JSON.stringify(content, undefined, 2);
}

function toRpmLine(rpm: RpmRow): string {
  const { external_repo_id: _external, ...columns } = rpm;
  return JSON.stringify({ ...columns, draft: false, metadata_only: false, extra: null });
}

function relativeBuildDirectory(hub: Hub, build: BuildRow): string {
  const { name } = hub.state.tables.packages.mustGet(build.package_id);
  return `packages/${name}/${build.version}/${build.release}`;
}

function isDebugInfo(name: string): boolean {
  return name.endsWith('-debuginfo') || name.endsWith('-debugsource') || name.includes('-debuginfo-');
}

function toLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
