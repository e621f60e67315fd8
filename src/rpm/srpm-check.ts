import { RpmBuildError } from './errors.ts';
import type { RpmHeader } from './header.ts';
import { toRpmFileName } from './nvr.ts';
import { toPythonRepr } from './python-text.ts';

/** kojid's checks of source packages, with its fault texts (`builder/kojid` BuildTask, BuildArchTask, RebuildSRPM). */

/** The input of a build is a source package; `path` is what the task was given, relative to `work/` (`readSRPMHeader`). */
export function requireSourcePackage(header: RpmHeader, path: string): void {
  if (!header.isSource) throw new RpmBuildError('request', `${path} is not a source package`);
}

/** RPMFILE_SPECFILE. */
const specFile = 1 << 5;

/**
 * A source package to be made again has one spec file (`BuildRoot.rebuild_srpm`): those that rpm unpacks into SPECS,
 * which are the files marked as such, or by their suffix where an old rpm has marked none.
 */
export function requireOneSpec(header: Pick<RpmHeader, 'files'>): void {
  const files = header.files();
  const marked = files.filter(({ flags }) => (flags & specFile) !== 0);
  const specs = marked.length > 0 ? marked : files.filter(({ path }) => path.endsWith('.spec'));
  if (specs.length === 0) throw new RpmBuildError('package', 'No spec file found');
  if (specs.length > 1) {
    const names = toPythonRepr(specs.map(({ path }) => path));
    throw new RpmBuildError('package', `Multiple spec files found: ${names}`);
  }
}

/** The kept SRPM carries what the build system sets by macro (`srpm_sanity_checks`); the hub does not look. */
export function checkSrpmTags(header: Pick<RpmHeader, 'packager' | 'vendor' | 'distribution'>): void {
  for (const tag of ['packager', 'vendor', 'distribution'] as const) {
    if (!header[tag]) throw new RpmBuildError('builder', `The build system failed to set the ${tag} tag`);
  }
}

/** The one SRPM of a buildArch result, of the file names that end in `.src.rpm`. */
export function onlyBuiltSrpm(taskId: number, fileNames: readonly string[]): string {
  const [first, ...others] = fileNames;
  if (first === undefined) throw new RpmBuildError('package', `no srpm files found for task ${taskId}`);
  if (others.length > 0) {
    throw new RpmBuildError(
      'package',
      `multiple srpm files found for task ${taskId}: ${toPythonRepr(fileNames)}`,
    );
  }
  return first;
}

/** The one SRPM that rebuildSRPM or buildSRPMFromSCM made; `directory` is where it was looked for. */
export function onlyRebuiltSrpm(directory: string, fileNames: readonly string[]): string {
  const [first, ...others] = fileNames;
  if (first === undefined) throw new RpmBuildError('package', `No srpms found in ${directory}`);
  if (others.length > 0) {
    throw new RpmBuildError('package', `Multiple srpms found in ${directory}: ${fileNames.join(', ')}`);
  }
  return first;
}

/** A made SRPM is called as its header says, or the hub would not import it (`RebuildSRPM.handler`). */
export function checkSrpmName(
  header: Pick<RpmHeader, 'name' | 'version' | 'release'>,
  fileName: string,
): void {
  const expected = toRpmFileName({ ...header, arch: 'src' });
  if (expected !== fileName)
    throw new RpmBuildError('package', `srpm name mismatch: ${expected} != ${fileName}`);
}
