import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BuildrootStepFailed } from '../../buildroot/errors.ts';
import { below } from '../../core/below.ts';
import { type RpmHeader, readRpmHeader } from '../../rpm/header.ts';
import { rootDifferences, theirRoot } from './buildroot-differences.ts';
import {
  type BuildStarts,
  type Comparison,
  compareLogNames,
  comparePackages,
  type Finding,
  findingsOf,
  type NamedHeader,
} from './comparison.ts';
import { buildAgain, type CompareContext, type OurBuild, type ReferenceInputs } from './rebuild-reference.ts';
import type { ReferenceBuild } from './reference-build.ts';
import type { ReferenceFiles } from './reference-files.ts';

/** Their packages, without the source package where the task did not keep it. */
export interface ReferencePackages {
  readonly rpms: readonly NamedHeader[];
  readonly srpms: readonly NamedHeader[];
}

/** Reads the headers of all packages the task has left. Throws `CannotCompare` when one is gone. */
export async function readTheirPackages(
  { result }: ReferenceBuild,
  files: ReferenceFiles,
  signal: AbortSignal,
): Promise<ReferencePackages> {
  const read = async (paths: readonly string[]): Promise<readonly NamedHeader[]> => {
    const headers: NamedHeader[] = [];
    for (const path of paths)
      headers.push({ name: basename(path), header: await files.header(path, signal) });
    return headers;
  };
  return { rpms: await read(result.rpms), srpms: await read(result.srpms) };
}

/** What the macros of their builder's configuration have put into its packages. */
export function siteOf({
  rpms,
  srpms,
}: ReferencePackages): Pick<RpmHeader, 'vendor' | 'packager' | 'distribution'> {
  const [first] = [...srpms, ...rpms];
  return first?.header ?? { vendor: null, packager: null, distribution: null };
}

/**
 * Builds a task's source package again and holds all that came of it against what the task has left. A build
 * that fails here is a finding; `keep` is where packages and logs are put, or null.
 */
export async function compareBuild(
  context: CompareContext,
  their: ReferenceBuild,
  theirFiles: ReferenceFiles,
  theirs: ReferencePackages,
  inputs: ReferenceInputs,
  keep: string | null,
  signal: AbortSignal,
): Promise<Comparison> {
  const startedMs = context.host.clock.uptime();
  const starts = {
    ours: context.host.clock.now() / 1000,
    theirs: their.task.startTs ?? Number.POSITIVE_INFINITY,
  };
  const place = await context.openWork();
  const directory = place.absolute;
  const rpms = await context.hub.buildrootRpms(their.buildroot.id, signal);
  try {
    const ours = await buildAgain(context, their, theirFiles, inputs, place, signal);
    if (keep !== null) await keepFiles(directory, [...ours.build.rpms, ...ours.build.srpms], ours.logs, keep);
    const findings = [
      ...(await packageFindings(ours, theirs, starts, signal)),
      ...findingsOf('buildroot', rootDifferences(ours.root, theirRoot(rpms))),
      ...compareLogNames(ours.logs, their.result.logs),
    ];
    return toComparison(their, inputs, {
      findings,
      tookMs: ours.tookMs,
      steps: ours.build.steps,
      rootPackages: rpms.length,
      packages: [...theirs.rpms, ...theirs.srpms].map(({ name }) => name),
      notes: notesOn(theirs, ours),
    });
  } catch (error) {
    if (!(error instanceof BuildrootStepFailed)) throw error;
    if (keep !== null) await keepFiles(directory, [], ['root.log', 'build.log', 'state.log'], keep);
    const log = error.status === 1 ? 'build.log' : 'root.log';
    const tail = (await readFile(join(directory, log), 'utf8').catch(() => ''))
      .trimEnd()
      .split('\n')
      .slice(-20);
    return toComparison(their, inputs, {
      findings: findingsOf('build', [
        { what: 'build', of: null, ours: `failed: ${error.message}`, theirs: 'CLOSED' },
      ]),
      tookMs: context.host.clock.uptime() - startedMs,
      steps: [],
      packages: [],
      rootPackages: 0,
      notes: [`the last lines of our ${log}:`, ...tail],
    });
  }
}

async function packageFindings(
  { build }: OurBuild,
  theirs: ReferencePackages,
  starts: BuildStarts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const read = async (paths: readonly string[]): Promise<readonly NamedHeader[]> => {
    const headers: NamedHeader[] = [];
    for (const path of paths)
      headers.push({ name: basename(path), header: await readRpmHeader(path, signal) });
    return headers;
  };
  // A task that was told not to keep the source package has nothing to hold ours against.
  const srpms =
    theirs.srpms.length === 0 ? [] : comparePackages(await read(build.srpms), theirs.srpms, starts);
  return [...comparePackages(await read(build.rpms), theirs.rpms, starts), ...srpms];
}

function notesOn(theirs: ReferencePackages, { build }: OurBuild): readonly string[] {
  return [
    ...(theirs.srpms.length === 0 ? ['the task has kept no source package, so ours is not compared'] : []),
    ...build.passedOver.map((what) => `left in our buildroot: ${what}`),
  ];
}

function toComparison(
  { task, request, buildroot }: ReferenceBuild,
  { repo, image }: ReferenceInputs,
  found: Pick<Comparison, 'findings' | 'packages' | 'rootPackages' | 'notes'> &
    Pick<Comparison['ours'], 'tookMs' | 'steps'>,
): Comparison {
  const { tookMs, steps, ...rest } = found;
  const theirMs =
    task.startTs === null || task.completionTs === null
      ? null
      : Math.round((task.completionTs - task.startTs) * 1000);
  return {
    taskId: task.id,
    arch: request.arch,
    source: basename(request.pkg),
    repo: { id: repo.id, tag: repo.tagName, event: repo.createEvent },
    theirs: {
      host: buildroot.host_name ?? null,
      buildrootId: buildroot.id,
      buildrootArch: buildroot.arch,
      tookMs: theirMs,
    },
    ours: { image: image.image, because: image.because, tookMs, steps },
    ...rest,
  };
}

async function keepFiles(
  directory: string,
  packages: readonly string[],
  logs: readonly string[],
  keep: string,
): Promise<void> {
  await mkdir(keep, { recursive: true });
  for (const path of packages) await copyFile(path, below(keep, basename(path)));
  for (const name of logs) await copyFile(below(directory, name), below(keep, name));
}
