import { digestOf, type Solution } from '../../cache/solver-cache.ts';
import type { KeptRoot } from '../../container/spec.ts';
import { buildUser } from '../plan/mock-environment.ts';
import type { RootRequest } from '../plan/root-request.ts';
import { recipe } from '../solve/question-key.ts';
import type { InstalledPackage } from './installed-packages.ts';

/** A root that does not change any more, for package code to run on in its own layer. */
export interface PreparedRoot {
  /** Digest of all that is in it. */
  readonly key: string;
  /** What the root holds, as its own rpm database says. */
  readonly installed: readonly InstalledPackage[];
  readonly root: KeptRoot;
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
