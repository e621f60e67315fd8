/** A repo that packages of a root come from. */
export interface PackageRepo {
  /** dnf's name for it: `build`, those after the first `build-2` and so on. */
  readonly id: string;
  /** Where it is; each of several has the same content. */
  readonly urls: readonly string[];
  /** URLs of other repos that were merged into it, and keep their packages. */
  readonly merged?: readonly string[];
}

/** The one repo of a root that is made for a hub, as mock's configuration by koji calls it. */
export function hubRepo(urls: readonly string[], merged: readonly string[] = []): PackageRepo {
  return { id: 'build', urls, merged };
}

/** All places of all repos. */
export function urlsOf(repos: readonly PackageRepo[]): readonly string[] {
  return repos.flatMap(({ urls }) => urls);
}
