import type { TagInfo } from '../../hub/schema.ts';
import type { TagArches } from '../../rpm/build-arches.ts';

/** The part of a tag's build configuration that decides about arches. */
export function tagArches({ id, name, arches, extra }: TagInfo): TagArches {
  const noarch = extra['noarch_arches'];
  return { id, name, arches: arches.join(' '), noarchArches: typeof noarch === 'string' ? noarch : null };
}
