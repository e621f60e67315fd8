import type { RpmHeader } from './header.ts';

/** What tasks want to know of a package, as plain data: it comes from another process (`package-reader.ts`). */
export interface PackageFacts
  extends Pick<
    RpmHeader,
    | 'name'
    | 'version'
    | 'release'
    | 'epoch'
    | 'arch'
    | 'isSource'
    | 'vendor'
    | 'packager'
    | 'distribution'
    | 'exclusiveArch'
    | 'excludeArch'
    | 'buildArchs'
  > {
  /** How many spec files its file list has, and the first of them. */
  readonly specs: { readonly count: number; readonly first: readonly string[] };
  /** It has a %generate_buildrequires section. */
  readonly generated: boolean;
  /** What it requires but for rpm's own, one in a line as `NAME FLAGS VERSION`. */
  readonly requirements: string;
}

/** More than a fault tells. */
const specsTold = 20;

const generatedFeature = 'rpmlib(DynamicBuildRequires)';

/** The facts of a header; throws BadRpm where its lists contradict each other. */
export function toPackageFacts(header: RpmHeader): PackageFacts {
  const { name, version, release, epoch, arch, isSource, vendor, packager, distribution } = header;
  const { exclusiveArch, excludeArch, buildArchs } = header;
  const specs = header.specFiles();
  const requires = header.dependencies('requires');
  return {
    name,
    version,
    release,
    epoch,
    arch,
    isSource,
    vendor,
    packager,
    distribution,
    exclusiveArch,
    excludeArch,
    buildArchs,
    specs: { count: specs.length, first: specs.slice(0, specsTold) },
    generated: requires.some((each) => each.name === generatedFeature),
    requirements: requires
      .filter((each) => each.name === generatedFeature || !each.name.startsWith('rpmlib('))
      .map((each) => `${each.name} ${each.flags} ${each.version}`)
      .join('\n'),
  };
}
