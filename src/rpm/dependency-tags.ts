import { rpmTag } from './header-tags.ts';

/** Lists of dependencies a header carries. */
export type DependencyKind =
  | 'requires'
  | 'provides'
  | 'conflicts'
  | 'obsoletes'
  | 'recommends'
  | 'suggests'
  | 'supplements'
  | 'enhances'
  | 'order';

/** The three tags that hold each kind of dependency. */
export const dependencyTags: Readonly<
  Record<DependencyKind, { name: number; flags: number; version: number }>
> = {
  requires: { name: rpmTag.requireName, flags: rpmTag.requireFlags, version: rpmTag.requireVersion },
  provides: { name: rpmTag.provideName, flags: rpmTag.provideFlags, version: rpmTag.provideVersion },
  conflicts: { name: rpmTag.conflictName, flags: rpmTag.conflictFlags, version: rpmTag.conflictVersion },
  obsoletes: { name: rpmTag.obsoleteName, flags: rpmTag.obsoleteFlags, version: rpmTag.obsoleteVersion },
  recommends: { name: rpmTag.recommendName, flags: rpmTag.recommendFlags, version: rpmTag.recommendVersion },
  suggests: { name: rpmTag.suggestName, flags: rpmTag.suggestFlags, version: rpmTag.suggestVersion },
  supplements: {
    name: rpmTag.supplementName,
    flags: rpmTag.supplementFlags,
    version: rpmTag.supplementVersion,
  },
  enhances: { name: rpmTag.enhanceName, flags: rpmTag.enhanceFlags, version: rpmTag.enhanceVersion },
  order: { name: rpmTag.orderName, flags: rpmTag.orderFlags, version: rpmTag.orderVersion },
};
