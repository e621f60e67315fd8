import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type DependencyKind, dependencyTags } from '../../src/rpm/dependency-tags.ts';
import { readRpmHeader } from '../../src/rpm/header.ts';

/** A file that a task has uploaded, in words that are the same whenever the same task is run. */
export interface FileFacts {
  readonly name: string;
  /** What has to be equal of its content; empty where that is nothing. */
  readonly content: string;
}

/** Their content says when they were made, which repo it was or what the daemon had prepared before. */
const varying = /^(repomd\.xml|noarch_rpmdiff\.json|(hw_info|mock_config|mock_output|root|createrepo)\.log)$/;

/** The facts of an uploaded file. */
export async function factsOf(path: string): Promise<FileFacts> {
  const name = basename(path);
  if (name.endsWith('.rpm')) return { name, content: await rpmFacts(path) };
  if (varying.test(name)) return { name, content: '' };
  const bytes = await readFile(path);
  if (name === 'state.log') return { name, content: stateFacts(bytes.toString()) };
  if (name.endsWith('.log')) return { name, content: withoutChance(bytes.toString()) };
  return { name, content: createHash('sha256').update(bytes).digest('hex') };
}

/**
 * What a package is: its names, dependencies, and each file with owner, mode and digest. Its bytes say the time and
 * the host of the build, too.
 */
async function rpmFacts(path: string): Promise<string> {
  const header = await readRpmHeader(path);
  const kinds = Object.keys(dependencyTags) as DependencyKind[];
  return [
    `${header.name}-${header.epoch ?? 0}:${header.version}-${header.release}.${header.fileArch}`,
    ...kinds.flatMap((kind) =>
      header.dependencies(kind).map((it) => `${kind} ${it.name} ${it.flags} ${it.version}`),
    ),
    ...header
      .files()
      .map((it) =>
        [it.path, it.mode.toString(8), it.flags, it.user, it.group, it.digest, it.linkTo].join(' '),
      ),
  ].join('\n');
}

/** A log without what chance puts there: names of temporary files, and in which order rpmbuild's threads have ended. */
export function withoutChance(log: string): string {
  return log
    .replace(/(^Wrote: .*\n)+/gm, (lines) => lines.split(/^/m).sort().join(''))
    .replace(/\brpm-tmp\.\w+/g, 'rpm-tmp.X')
    .replace(/\btmp\.\w{6,}/g, 'tmp.X');
}

/**
 * The steps of a task in pairs of Start and Finish. Which there are depends on what was prepared before; rpmbuild is there
 * always.
 */
export function stateFacts(log: string): string {
  const steps = [...log.matchAll(/\b(Start|Finish): (.*)$/gm)].map(([, what, step]) => ({ what, step }));
  const count = (what: string, step: string | undefined) =>
    steps.filter((it) => it.what === what && it.step === step).length;
  const uneven = new Set(
    steps.map(({ step }) => step).filter((step) => count('Start', step) !== count('Finish', step)),
  );
  return [
    ...[...uneven].map(
      (step) => `${step} has begun ${count('Start', step)} times, ended ${count('Finish', step)}`,
    ),
    ...steps.filter(({ step }) => step?.startsWith('rpmbuild')).map(({ what, step }) => `${what}: ${step}`),
  ].join('\n');
}
