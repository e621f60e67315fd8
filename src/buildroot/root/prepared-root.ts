import { digestOf, type Solution } from '../../cache/solver-cache.ts';
import { buildUser } from '../plan/mock-environment.ts';
import type { RootRequest } from '../steps/container-specs.ts';
import type { InstalledPackage } from './installed-packages.ts';

/** Raised whenever roots are made in another way, so that none made before is taken for one of now. */
const recipe = 3;

/** A root that nobody changes any more, for package code to run on in a layer of its own. */
export interface PreparedRoot {
  /** Digest of all that is in it. */
  readonly key: string;
  /** What the root holds, as its own rpm database says. */
  readonly installed: readonly InstalledPackage[];
  /** Of its snapshot. */
  readonly image: string;
}

/** Digest of a root: of what it is made from and how. Macros, vendor and environment come with the build. */
export function rootKey(
  parent: string | null,
  solution: Solution,
  request: RootRequest,
  localTime: string | null,
): string {
  const elements = solution.elements.map((element) =>
    element.action === 'remove'
      ? [element.action, element.name, element.header]
      : [element.action, element.name, element.checksum],
  );
  const made = [recipe, request.imageDigest, request.targetArch, request.personality, localTime, buildUser];
  return digestOf(made, parent, elements);
}

/** Digest of a question to the solver: of all that its answer depends on. */
export function questionKey(
  question: {
    /** `readRepoStates` of the repos. */
    readonly repoState: string;
    /** Key of the root that is asked about, or null. */
    readonly parent: string | null;
    /** Group, or the requirements of a package. */
    readonly goal: readonly string[];
    /** The solver's configuration without the URLs of the repo, and its plug-in. */
    readonly settings: readonly (string | null)[];
  },
  request: RootRequest,
): string {
  return digestOf([recipe, request.imageDigest, request.targetArch, request.personality], question);
}
