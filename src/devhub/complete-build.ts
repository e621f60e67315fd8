import { existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { faultCodes } from '../core/koji-faults.ts';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { type RpmHeader, readRpmHeader } from '../rpm/header.ts';
import { noarchRpmdiffHash } from '../rpm/noarch-rpmdiff.ts';
import { mustFindBuild, nameOf, nvrOf, toBuildInfo } from './build-info.ts';
import { type Call, type MethodTable, method } from './call.ts';
import { generic, Refusal } from './faults.ts';
import type { Hub } from './hub.ts';
import { notifyOfBuild } from './notifications.ts';
import { importFile, moveAndLink, rpmPath, withinDirectory } from './paths.ts';
import { type BuildRow, buildState, stateName, type TaskRow } from './rows.ts';
import { assertHost } from './sessions.ts';
import { assertTaskOfHost } from './tasks.ts';

/** Logs by arch: paths relative to `work/`; an empty arch puts them at the top. */
const Logs = z.record(z.string(), z.array(z.string())).nullish();
type Logs = z.output<typeof Logs>;

/** What an rpm's file name must be, by its header. */
export function expectedFileName(header: RpmHeader): string {
  return `${header.name}-${header.version}-${header.release}.${shownArch(header)}.rpm`;
}

function shownArch(header: RpmHeader): string {
  return header.isSource ? 'src' : header.arch;
}

function assertFilesExist(hub: Hub, names: readonly string[]): void {
  for (const name of names) {
    const path = hub.paths.workFile(name);
    if (!existsSync(path)) throw generic(`No such file: ${path}`);
  }
}

/** Noarch packages of the same name must be equal; the first of them is kept (`check_noarch_rpms`). */
async function withoutNoarchCopies(hub: Hub, names: readonly string[]): Promise<string[]> {
  const kept: string[] = [];
  const hashes = new Map<string, string>();
  for (const name of names) {
    const file = basename(name);
    if (!file.endsWith('.noarch.rpm')) {
      kept.push(name);
      continue;
    }
    const hash = noarchRpmdiffHash(await readRpmHeader(hub.paths.workFile(name)));
    const first = hashes.get(file);
    if (first === undefined) {
      hashes.set(file, hash);
      kept.push(name);
    } else if (first !== hash)
      throw new Refusal(
        faultCodes.build,
        `The following noarch package built differently on different architectures: ${file}`,
      );
  }
  return kept;
}

/** Moves a scratch build's files below `scratch/`, leaving links behind. */
async function moveToScratch(
  call: Call,
  task: TaskRow,
  srpm: string,
  rpms: readonly string[],
  logs: Logs,
): Promise<void> {
  const { paths, state } = call.hub;
  assertFilesExist(call.hub, [srpm, ...rpms]);
  const kept = await withoutNoarchCopies(call.hub, rpms);
  const directory = paths.scratch(state.tables.users.mustGet(task.owner).name, task.id);
  mkdirSync(directory, { recursive: true });
  for (const name of [srpm, ...kept]) moveAndLink(paths.workFile(name), join(directory, basename(name)));
  for (const [arch, names] of Object.entries(logs ?? {}))
    for (const name of names)
      moveAndLink(paths.workFile(name), join(directory, 'logs', withinDirectory(arch), basename(name)));
}

interface Completion {
  readonly task: TaskRow;
  readonly buildId: number;
  readonly srpm: string;
  readonly rpms: readonly string[];
  readonly brmap: Readonly<Record<string, number>>;
  readonly logs: Logs;
}

/** Checks a build's files and takes them in, one after another: not atomic on disk (`import_build`). */
async function completeBuild(call: Call, wanted: Completion): Promise<RpcValue> {
  const { hub } = call;
  const { buildroots, builds } = hub.state.tables;
  assertFilesExist(hub, [wanted.srpm, ...wanted.rpms]);
  const rpms = await withoutNoarchCopies(hub, wanted.rpms);
  for (const id of Object.values(wanted.brmap))
    if (buildroots.get(id) === undefined) throw generic(`no buildroot with ID: ${id}`);
  const source = await readRpmHeader(hub.paths.workFile(wanted.srpm));
  if (!source.isSource) throw generic(`not a source package: ${hub.paths.workFile(wanted.srpm)}`);
  const build = mustFindBuild(hub, wanted.buildId);
  assertMatches(hub, build, source, wanted.task.id);
  if (build.state !== buildState.BUILDING)
    throw generic(`Unable to complete build: state is ${stateName(buildState, build.state)}`);
  const complete = builds.update(build.id, { state: buildState.COMPLETE, completion_time: call.now });
  for (const name of [wanted.srpm, ...rpms]) await importRpm(hub, complete, name, wanted.brmap[name] ?? null);
  const { version, release } = build;
  const logDirectory = join(hub.paths.build({ name: nameOf(hub, build), version, release }), 'data', 'logs');
  for (const [arch, names] of Object.entries(wanted.logs ?? {}))
    for (const name of names)
      importFile(hub.paths.workFile(name), join(logDirectory, withinDirectory(arch)), 'build log');
  notifyOfBuild(call, complete, wanted.task);
  return toBuildInfo(hub, complete);
}

function assertMatches(hub: Hub, build: BuildRow, source: RpmHeader, taskId: number): void {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['name', nameOf(hub, build), source.name],
    ['version', build.version, source.version],
    ['release', build.release, source.release],
    ['epoch', build.epoch, source.epoch],
    ['task_id', build.task_id, taskId],
  ];
  for (const [key, expected, actual] of pairs)
    if (expected !== actual)
      throw generic(`Unable to complete build: ${key} mismatch (build: ${expected}, rpm: ${actual})`);
}

/** Checks one rpm against its build, records it and moves it below `packages/`. */
async function importRpm(hub: Hub, build: BuildRow, name: string, buildrootId: number | null): Promise<void> {
  const path = hub.paths.workFile(name);
  const header = await readRpmHeader(path);
  const expected = expectedFileName(header);
  if (basename(path) !== expected) throw generic(`bad filename: ${basename(path)} (expected ${expected})`);
  const srpmName = `${nvrOf(hub, build)}.src.rpm`;
  const actual = header.isSource ? basename(path) : header.sourceRpm;
  if (actual !== srpmName) throw generic(`srpm mismatch for ${path}: ${actual} (expected ${srpmName})`);
  const { version, release } = build;
  const directory = hub.paths.build({ name: nameOf(hub, build), version, release });
  const rpm = recordRpm(hub, header, { buildId: build.id, buildrootId, sizeBytes: statSync(path).size });
  importFile(path, join(directory, rpmPath(rpm), '..'), 'archive file');
}

/** Adds an rpm to the database; what is known of it comes from its header. */
export function recordRpm(
  hub: Hub,
  header: RpmHeader,
  origin: { readonly buildId: number; readonly buildrootId: number | null; readonly sizeBytes: number },
) {
  return hub.state.tables.rpms.insert({
    build_id: origin.buildId,
    buildroot_id: origin.buildrootId,
    external_repo_id: 0,
    name: header.name,
    version: header.version,
    release: header.release,
    epoch: header.epoch,
    arch: shownArch(header),
    payloadhash: header.sigMd5 ?? '',
    size: origin.sizeBytes,
    buildtime: header.buildTime ?? 0,
  });
}

const results = { srpm: z.string(), rpms: z.array(z.string()) };

/** The two ways a build's files leave the upload area for good. */
export const completionMethods: MethodTable = {
  'host.moveBuildToScratch': method(
    { task_id: z.int(), ...results, logs: Logs },
    async (call, { task_id, srpm, rpms, logs }) => {
      const task = assertTaskOfHost(call, task_id, assertHost(call).id);
      await moveToScratch(call, task, srpm, rpms, logs);
      return null;
    },
  ),
  'host.completeBuild': method(
    {
      task_id: z.int(),
      build_id: z.int(),
      ...results,
      brmap: z.record(z.string(), z.int()).nullish(),
      logs: Logs,
    },
    (call, { task_id, build_id, srpm, rpms, brmap, logs }) => {
      const task = assertTaskOfHost(call, task_id, assertHost(call).id);
      return completeBuild(call, { task, buildId: build_id, srpm, rpms, brmap: brmap ?? {}, logs });
    },
  ),
};
