import { digestOf } from '../../cache/solver-cache.ts';
import type { RootRequest } from '../plan/root-request.ts';

/** Raised whenever roots are made in another way, so that none made before is taken for one of now. */
export const recipe = 4;

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
