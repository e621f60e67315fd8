import type { ExternalRepo } from './api/schema.ts';

/** The external repo's URL for a repo of this arch, as kojid and `mergerepo_c` know it. */
export function externalUrl({ url }: Pick<ExternalRepo, 'url'>, arch: string): string {
  return url.replaceAll('$arch', arch);
}

/** The external repos that have something for this arch; one that names no arches is for all. */
export function reposForArch(repos: readonly ExternalRepo[], arch: string): readonly ExternalRepo[] {
  return repos.filter(({ arches }) => arches === null || arches.length === 0 || arches.includes(arch));
}

/**
 * Why containers cannot read one of the repos, or null: kojid reads `file:` URLs from its own disk,
 * which no container sees.
 */
export function outOfReach(repos: readonly ExternalRepo[]): string | null {
  const local = repos.find(({ url }) => /^(file:|\/)/i.test(url));
  if (local === undefined) return null;
  return `external repo ${local.name} lies at ${local.url}, where containers of this builder cannot read it; give it an http(s) URL`;
}
