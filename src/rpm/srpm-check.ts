import { RpmBuildError } from './errors.ts';
import { toRpmFileName } from './nvr.ts';
import type { PackageFacts } from './package-facts.ts';
import { toPythonRepr } from './python-text.ts';

/** kojid's checks of source packages, with its fault texts (`builder/kojid` BuildTask, BuildArchTask, RebuildSRPM). */

/** The input of a build is a source package; `path` is what the task was given, relative to `work/` (`readSRPMHeader`). */
export function requireSourcePackage(header: PackageFacts, path: string): void {
  if (!header.isSource) throw new RpmBuildError('request', `${path} is not a source package`);
}

/**
 * A source package to be made again has one spec file (`BuildRoot.rebuild_srpm`): those that rpm unpacks into SPECS,
 * which are the files marked as such, or by their suffix where an old rpm has marked none.
 */
export function requireOneSpec({ specs }: Pick<PackageFacts, 'specs'>): void {
  if (specs.count === 0) throw new RpmBuildError('package', 'No spec file found');
  if (specs.count > 1)
    throw new RpmBuildError('package', `Multiple spec files found: ${showNames(specs.first, specs.count)}`);
}

/** How many names a fault tells: a package may have any number of them, and the hub keeps the text. */
export const namesTold = 10;

/** Names as Python shows a list; of more than a few the first, and how many more there are. */
function showNames(names: readonly string[], count: number): string {
  const shown = toPythonRepr(names.slice(0, namesTold).map((name) => name.slice(0, 300)));
  return count > namesTold ? `${shown} and ${count - namesTold} more` : shown;
}

/** The kept SRPM carries what the build system sets by macro (`srpm_sanity_checks`); the hub does not look. */
export function checkSrpmTags(header: Pick<PackageFacts, 'packager' | 'vendor' | 'distribution'>): void {
  for (const tag of ['packager', 'vendor', 'distribution'] as const) {
    if (!header[tag]) throw new RpmBuildError('builder', `The build system failed to set the ${tag} tag`);
  }
}

/** The one SRPM of a buildArch result, of the file names that end in `.src.rpm`. */
export function onlyBuiltSrpm(taskId: number, fileNames: readonly string[]): string {
  const [first, ...others] = fileNames;
  if (first === undefined) throw new RpmBuildError('package', `no srpm files found for task ${taskId}`);
  if (others.length > 0) {
    const names = showNames(fileNames, fileNames.length);
    throw new RpmBuildError('package', `multiple srpm files found for task ${taskId}: ${names}`);
  }
  return first;
}

/** The one SRPM that rebuildSRPM or buildSRPMFromSCM made; `directory` is where it was looked for. */
export function onlyRebuiltSrpm(directory: string, fileNames: readonly string[]): string {
  const [first, ...others] = fileNames;
  if (first === undefined) throw new RpmBuildError('package', `No srpms found in ${directory}`);
  if (others.length > 0) {
    const told = fileNames.slice(0, namesTold).join(', ');
    const more = fileNames.length > namesTold ? ` and ${fileNames.length - namesTold} more` : '';
    throw new RpmBuildError('package', `Multiple srpms found in ${directory}: ${told}${more}`);
  }
  return first;
}

/** A made SRPM is called as its header says, or the hub would not import it (`RebuildSRPM.handler`). */
export function checkSrpmName(
  header: Pick<PackageFacts, 'name' | 'version' | 'release'>,
  fileName: string,
): void {
  const expected = toRpmFileName({ ...header, arch: 'src' });
  if (expected !== fileName)
    throw new RpmBuildError('package', `srpm name mismatch: ${expected} != ${fileName}`);
}
