import { BuilderError } from '../../core/errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { printable } from '../../core/printable.ts';

/** A package as a root's rpm database has it. */
export interface InstalledPackage {
  readonly name: string;
  readonly epoch: number | null;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  /** Hex SIGMD5, which Koji calls payloadhash. */
  readonly payloadhash: string;
  readonly size: number;
  readonly buildtime: number;
}

/** A package as the hub wants it in `host.setBuildRootList`: with its id in the hub, or where else it came from. */
export interface ListedPackage extends InstalledPackage {
  readonly id?: number;
  /** Id of an external repo. */
  readonly location?: number;
}

/** A line of the repo's `rpmlist.jsonl`, the used fields. */
export interface RepoPackage {
  readonly id: number;
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  readonly payloadhash: string;
}

/** The root's content contradicts the repo; the hub is not told a list that is not true. Koji's fault 1012. */
export class BuildrootMismatch extends BuilderError {
  override readonly faultCode = faultCodes.buildroot;

  constructor(message: string) {
    super('buildroot-mismatch', 'builder', message);
  }
}

/** Not packages of the buildroot, although the database has them (`builder/kojid getPackageList`). */
const ignored = new Set(['buildsys-build', 'gpg-pubkey']);

/** A line of the listing. Packages of rpm's format 6 have no SIGMD5, by which Koji knows a package. */
const listed =
  /^(?<name>[^\t]+)\t(?<epoch>\d*)\t(?<version>[^\t]+)\t(?<release>[^\t]+)\t(?<arch>[^\t]+)\t(?<hash>[0-9a-f]{32})\t(?<size>\d+)\t(?<buildtime>\d+)$/;

/** Reads a listing of rpm's (`install-script.ts installedFormat`). Throws `BuildrootMismatch` for what is none. */
export function parseInstalled(listing: string): readonly InstalledPackage[] {
  const packages: InstalledPackage[] = [];
  for (const [index, line] of listing.split('\n').entries()) {
    if (line === '' || ignored.has(line.slice(0, line.indexOf('\t')))) continue;
    const fields = listed.exec(line)?.groups;
    if (fields === undefined) {
      throw new BuildrootMismatch(
        `list of installed packages, line ${index + 1}: not as rpm was asked to write it: ${line.slice(0, 200)}`,
      );
    }
    const { name = '', epoch, version = '', release = '', arch = '', hash = '', size, buildtime } = fields;
    packages.push({
      name,
      epoch: epoch === '' ? null : Number(epoch),
      version,
      release,
      arch,
      payloadhash: hash,
      size: Number(size),
      buildtime: Number(buildtime),
    });
  }
  return packages;
}

/** The listing of these packages, as `parseInstalled` reads it. */
export function renderListing(packages: readonly InstalledPackage[]): string {
  return packages
    .map(
      ({ name, epoch, version, release, arch, payloadhash, size, buildtime }) =>
        `${[name, epoch ?? '', version, release, arch, payloadhash, size, buildtime].join('\t')}\n`,
    )
    .join('');
}

/**
 * Gives every package that is not from an external repo its id in the hub. A package of the same name
 * with another payload hash is refused, as kojid does (`mapInternalRPMs`); one that the repo's list does
 * not have goes without an id and the hub decides.
 */
export function mapInternal(
  installed: readonly ListedPackage[],
  repo: readonly RepoPackage[],
): readonly ListedPackage[] {
  const byNvra = new Map(repo.map((known) => [nvra(known), known]));
  return installed.map((one) => {
    if (one.location !== undefined) return one;
    const known = byNvra.get(nvra(one));
    if (known === undefined) return one;
    if (known.payloadhash !== one.payloadhash) {
      throw new BuildrootMismatch(
        `RPM: ${nvra(one)}: payloadhash: ${one.payloadhash} mismatch expected ${known.payloadhash} in rpmlist.jsonl`,
      );
    }
    return { ...one, id: known.id };
  });
}

/** Content of `installed_pkgs.log`, the form of mock's package_state plugin. */
export function renderInstalledLog(installed: readonly InstalledPackage[]): string {
  return installed.map((one) => `${printable(label(one))} ${one.buildtime} ${one.size} installed\n`).join('');
}

/** Name, epoch where there is one, version, release and arch: how rpm names a package. */
export function label({ name, epoch, version, release, arch }: InstalledPackage): string {
  return `${name}-${epoch === null ? '' : `${epoch}:`}${version}-${release}.${arch}`;
}

function nvra(one: {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
}): string {
  return `${one.name}-${one.version}-${one.release}.${one.arch}`;
}
