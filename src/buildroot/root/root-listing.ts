import { copyFile, link, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { packagePath } from '../../cache/package-cache.ts';
import { inboundOf, type Solution } from '../../cache/solver-cache.ts';
import type { DraftRoot } from '../../container/spec.ts';
import { below } from '../../core/below.ts';
import { isMissing } from '../../core/fs-errors.ts';
import { BuildrootStepFailed } from '../errors.ts';
import { listContainer } from '../steps/container-specs.ts';
import type { RootContext } from '../steps/root-context.ts';
import { packageStepTitle } from '../steps/step-titles.ts';
import { listingDivider, listScript } from './install-script.ts';
import {
  BuildrootMismatch,
  type InstalledPackage,
  label,
  parseInstalled,
  renderListing,
} from './installed-packages.ts';

/** What a listing may take, in bytes: some 100,000 packages. */
const mostBytes = 16 * 1024 * 1024;
/** How long a listing may take where installing may take as long as it likes. */
const mostSeconds = 600;

/**
 * Lets the containers of an install step see the packages of a solution and none else: below `packages-ATTEMPT` in the task's
 * directory, under the paths of the cache. They are the cache's own files where that is on the same disk. One that has been
 * removed from there meanwhile is left out, and the step finds that.
 */
export async function layOutPackages(
  context: RootContext,
  attempt: number,
  solution: Solution,
): Promise<void> {
  const { directory } = context.host.cache.packages;
  const place = context.path(`packages-${attempt}`);
  await mkdir(place, { recursive: true });
  for (const { checksum } of inboundOf(solution)) {
    const from = below(directory, packagePath(checksum));
    const to = below(place, packagePath(checksum));
    await mkdir(dirname(to), { recursive: true });
    await rm(to, { force: true });
    try {
      await link(from, to);
    } catch (error) {
      if (isMissing(error)) continue;
      if (!isOtherDisk(error)) throw error;
      await copyFile(from, to);
    }
  }
}

/**
 * What `into` holds after an install step, as a container sees it that runs nothing of the root, and that only if it
 * is what has to be there: what `parent` had, with what the solution brings and without what it takes away. What a package is, is
 * told by its file, not by the database of the root, to which scriptlets may have written. Throws `BuildrootMismatch`,
 * `BuildrootStepFailed`.
 */
export async function listRoot(
  context: RootContext,
  attempt: number,
  into: DraftRoot,
  root: { readonly title: string; readonly parent: readonly InstalledPackage[]; readonly solution: Solution },
  signal: AbortSignal,
): Promise<string> {
  const { host, request, logs, steps } = context;
  const { title, parent, solution } = root;
  const inbound = inboundOf(solution);
  const paths = inbound.map(({ checksum }) => `${packagePath(checksum)}\n`).join('');
  await context.write(`in/packages-${attempt}`, paths);
  await context.write(`in/list-${attempt}.sh`, listScript(attempt));
  const spec = listContainer(host, request, attempt, into);
  const seconds = host.stepLimits.installSeconds || mostSeconds;
  const stepTitle = packageStepTitle('list', title);
  const step = { title: stepTitle, spec, seconds, mostBytes };
  const { code, timedOut, ranInto, output } = await steps.read(step, signal);
  if (code !== 0 || timedOut || ranInto !== null || output.isCut) {
    await logs.root.write(`${output.text.slice(-2000)}\n`);
    if (timedOut) throw new BuildrootStepFailed(stepTitle, 30, { reason: `killed after ${seconds} s` });
    if (output.isCut)
      throw new BuildrootStepFailed(stepTitle, 30, { reason: 'the list is larger than 16 MiB' });
    throw new BuildrootStepFailed(`${stepTitle} (status ${code})`, 30);
  }
  const [coming, there] = split(output.text);
  const arrived = parseInstalled(coming);
  if (coming.split('\n').length - 1 !== inbound.length)
    throw new BuildrootMismatch(`the packages of ${title} cannot be listed: one has a name of several lines`);
  const expected = [...remaining(parent, solution), ...arrived];
  refuseDifference(title, expected, parseInstalled(there));
  return renderListing(expected);
}

/** What the parent has that the solution does not take away. */
function remaining(parent: readonly InstalledPackage[], { elements }: Solution): readonly InstalledPackage[] {
  const going = elements.flatMap((element) => (element.action === 'remove' ? [withEpoch(element.name)] : []));
  return parent.filter((one) => {
    const index = going.indexOf(withEpoch(label(one)));
    if (index !== -1) going.splice(index, 1);
    return index === -1;
  });
}

/** rpm before 4.15 leaves out an epoch of 0 where later ones name it. */
function withEpoch(nevra: string): string {
  return nevra.replace(/-0:(?=[^-]+-[^-]+$)/, '-');
}

function refuseDifference(
  title: string,
  expected: readonly InstalledPackage[],
  found: readonly InstalledPackage[],
): void {
  const lacking = surplus(expected, found);
  const unknown = surplus(found, expected);
  if (lacking.length === 0 && unknown.length === 0) return;
  const some = (names: readonly string[]) =>
    names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} others` : names.join(', ');
  const differences = [
    ...(lacking.length === 0 ? [] : [`it lacks ${some(lacking)}`]),
    ...(unknown.length === 0 ? [] : [`it has ${some(unknown)}, which was not to be installed`]),
  ];
  throw new BuildrootMismatch(
    `the root with ${title} is not what was installed: ${differences.join('; ')}. A scriptlet may have changed its database`,
  );
}

/** Labels of what is in the first list more often than in the second. */
function surplus(all: readonly InstalledPackage[], without: readonly InstalledPackage[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const one of without) counts.set(identity(one), (counts.get(identity(one)) ?? 0) + 1);
  return all.flatMap((one) => {
    const left = counts.get(identity(one)) ?? 0;
    counts.set(identity(one), left - 1);
    return left > 0 ? [] : [label(one)];
  });
}

function identity(one: InstalledPackage): string {
  return [label(one), one.payloadhash, one.size, one.buildtime].join('\t');
}

function split(text: string): readonly [string, string] {
  const divider = `${listingDivider}\n`;
  const at = text.startsWith(divider) ? 0 : text.indexOf(`\n${divider}`) + 1;
  if (at === 0 && !text.startsWith(divider))
    throw new BuildrootMismatch('the list of installed packages has no end');
  return [text.slice(0, at), text.slice(at + divider.length)];
}

function isOtherDisk(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EXDEV';
}
