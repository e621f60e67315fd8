import type { PackageManagerName } from '../plan/tag-settings.ts';

/** What the solver is asked for. */
export type SolveGoal =
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'packages'; readonly names: readonly string[] }
  /** A file below `/adjutant/in`, a source package or rpmbuild's list of generated requirements. */
  | { readonly kind: 'build-requires'; readonly file: string };

/** A package manager of a bootstrap image: it finds out which packages a root needs, and touches nothing. */
export interface PackageManager {
  readonly name: PackageManagerName;
  /** For people: `dnf 4`. */
  readonly title: string;
  /** A command of bash that succeeds where the image has it with all that is needed here; its program is then in `$manager`. */
  readonly find: string;
  /** The packages of a Fedora image that bring it. */
  readonly packages: string;
  /** What it reads besides `dnf.conf`: content by place below `/adjutant/in`. */
  readonly files: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Its arguments, as words for bash, with which it reads `/adjutant/in/dnf.conf`, solves against the root at `/mnt/root`
   * as mock would have it, writes the `Solution` into the file that `ADJUTANT_SOLUTION` names, also when nothing is missing,
   * and does nothing about it. Without a solution it writes none, and says why. `/adjutant/solve` is for its metadata and logs.
   */
  solve(goal: SolveGoal, releaseVersion: string | null): string;
}
