import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type RpmHeader, readRpmHeader } from '../rpm/header.ts';
import { ensurePackage } from './builds.ts';
import { recordRpm } from './complete-build.ts';
import { parseComps } from './comps.ts';
import { attachExternalRepo, type TagExternalRepo } from './external-repos.ts';
import { ensureHost, ensureTag, ensureTarget, ensureUser, type Hub, newEvent, nowSeconds } from './hub.ts';
import { rpmPath } from './paths.ts';
import { buildState, type TagRow } from './rows.ts';
import type { RunningDevHub } from './run.ts';

export interface SeedOptions {
  /** A directory with RPMs, in it or in its `Packages/`, and their `comps.xml`. */
  readonly distroRepo: string;
  /** Name of the target and of the tag builds go to; the build tag is `<tagName>-build`. */
  readonly tagName: string;
  /** Arches of the build tag, such as `x86_64`. */
  readonly arches: string;
  /** Settings of the build tag, such as `rpm.macro.dist`. */
  readonly extra: TagRow['extra'];
  /** Packages that may be built: their lists allow nothing else. */
  readonly packages: readonly string[];
  readonly builder: { readonly name: string; readonly password: string; readonly capacity: number };
  /**
   * Left out: all RPMs are imported into the build tag. Given: they stay where they are, and the build tag takes
   * them from an external repository of this name; the distribution needs its `repodata` then.
   */
  readonly externalRepo?: Pick<TagExternalRepo, 'name' | 'mergeMode'>;
  /** Asks for builds; is an admin. */
  readonly client: { readonly name: string; readonly password: string };
}

interface SeedRpm {
  readonly file: string;
  readonly header: RpmHeader;
}

/**
 * Fills a hub with all a build needs: users, a builder host, tags, groups, a target, and every RPM of a distribution
 * as a build in the build tag, or the distribution as an external repository of it. Doing it again adds what is missing. Throws BadRpm for an RPM that cannot be read.
 */
export async function seedDevHub(devHub: RunningDevHub, options: SeedOptions): Promise<void> {
  const { externalRepo } = options;
  const rpms = externalRepo === undefined ? await readDistribution(options.distroRepo) : [];
  const comps = join(options.distroRepo, 'comps.xml');
  if (!existsSync(comps))
    throw new Error(`${options.distroRepo} has no comps.xml: its groups are needed for buildroots`);
  const groups = parseComps(readFileSync(comps, 'utf8'));
  await devHub.change((hub) => {
    const owner = ensureUser(hub, options.client.name, options.client.password, ['admin']);
    ensureHost(hub, {
      ...options.builder,
      arches: `${options.arches} noarch`,
      channels: ['default', 'createrepo'],
    });
    const tag = { extra: {}, arches: null, parents: [], groups: [] };
    const destination = ensureTag(hub, { ...tag, name: options.tagName });
    const build = ensureTag(hub, {
      name: `${options.tagName}-build`,
      arches: options.arches,
      // A distribution may have more than one version of a package, and all of them are wanted.
      extra: { repo_include_all: true, ...options.extra },
      parents: [options.tagName],
      groups,
    });
    ensureTarget(hub, options.tagName, build, destination);
    for (const name of options.packages) allowPackage(hub, destination, name, owner.id);
    for (const rpm of rpms) importDistributionRpm(hub, build, rpm, owner.id);
    if (externalRepo !== undefined) {
      publishDirectory(options.distroRepo, join(hub.paths.topdir, externalRepo.name));
      const url = `${devHub.filesUrl}/${externalRepo.name}/`;
      attachExternalRepo(hub, build, { ...externalRepo, url, priority: 10, arches: null });
    }
  });
}

/** Lets a directory be read through the hub's tree. */
function publishDirectory(directory: string, link: string): void {
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) unlinkSync(link);
  symlinkSync(resolve(directory), link);
}

async function readDistribution(directory: string): Promise<SeedRpm[]> {
  const packages = join(directory, 'Packages');
  const from = existsSync(packages) ? packages : directory;
  const files = readdirSync(from)
    .filter((name) => name.endsWith('.rpm'))
    .sort();
  const rpms: SeedRpm[] = [];
  for (const name of files) {
    const file = join(from, name);
    rpms.push({ file, header: await readRpmHeader(file) });
  }
  return rpms;
}

/** Lets a package be built into a tag. */
export function allowPackage(hub: Hub, tag: TagRow, name: string, ownerId: number): void {
  const { tagPackages } = hub.state.tables;
  const package_id = ensurePackage(hub, name);
  if (tagPackages.find((row) => row.tag_id === tag.id && row.package_id === package_id) !== undefined) return;
  tagPackages.insert({
    tag_id: tag.id,
    package_id,
    owner_id: ownerId,
    blocked: false,
    create_event: newEvent(hub),
  });
}

/** Adds one RPM to the build its source package names, and tags that build. */
function importDistributionRpm(hub: Hub, tag: TagRow, { file, header }: SeedRpm, ownerId: number): void {
  const { builds, rpms, tagListing } = hub.state.tables;
  const source = parseSource(header);
  const packageId = ensurePackage(hub, source.name);
  allowPackage(hub, tag, source.name, ownerId);
  const isSame = (row: { version: string; release: string }) =>
    row.version === source.version && row.release === source.release;
  const build =
    builds.find((row) => row.package_id === packageId && isSame(row)) ??
    builds.insert({
      package_id: packageId,
      version: source.version,
      release: source.release,
      epoch: header.epoch,
      state: buildState.COMPLETE,
      task_id: null,
      owner_id: ownerId,
      source: null,
      extra: null,
      create_event: newEvent(hub),
      start_time: nowSeconds(hub),
      completion_time: nowSeconds(hub),
    });
  if (
    tagListing.find(
      (row) => row.tag_id === tag.id && row.build_id === build.id && row.revoke_event === null,
    ) === undefined
  )
    tagListing.insert({
      tag_id: tag.id,
      build_id: build.id,
      create_event: newEvent(hub),
      revoke_event: null,
    });
  if (rpms.find((row) => row.build_id === build.id && row.name === header.name && row.arch === header.arch))
    return;
  const rpm = recordRpm(hub, header, {
    buildId: build.id,
    buildrootId: null,
    sizeBytes: statSync(file).size,
  });
  placeFile(file, join(hub.paths.build(source), rpmPath(rpm)));
}

/** What linking fails with where the target is on another file system, or on one without links. */
const noLinkCodes: readonly unknown[] = ['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK'];

/** Links a file to its place, or copies it where that cannot be done; one that is there already stays. */
function placeFile(source: string, target: string): void {
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  try {
    linkSync(source, target);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && noLinkCodes.includes(error.code))) throw error;
    copyFileSync(source, target);
  }
}

/** Name, version and release of the source package. */
function parseSource(header: RpmHeader): { name: string; version: string; release: string } {
  if (header.sourceRpm === null) return header;
  const match = /^(?<name>.+)-(?<version>[^-]+)-(?<release>[^-]+)\.(no)?src\.rpm$/.exec(
    basename(header.sourceRpm),
  );
  const { name, version, release } = match?.groups ?? {};
  if (name === undefined || version === undefined || release === undefined)
    throw new Error(`${header.name}: its source package has the odd name ${header.sourceRpm}`);
  return { name, version, release };
}
