/** One thing that is not the same here and there. */
export interface Difference {
  /** The field: `vendor`, `requires`, `file.mode`, `buildroot.package`; by this the whitelist goes. */
  readonly what: string;
  /** Of which file, dependency or package; null for a field of the whole. Varying parts (build ids) show as `*`. */
  readonly of: string | null;
  /** Here; null: it is not there at all. */
  readonly ours: string | null;
  readonly theirs: string | null;
}

/** The difference between two values of a field, as a list of none or one. */
export function valueDifference(
  what: string,
  of: string | null,
  ours: string | null,
  theirs: string | null,
): readonly Difference[] {
  return ours === theirs ? [] : [{ what, of, ours, theirs }];
}

/** A text each half has under a key; null where that half has no such key. */
export interface Pair<T> {
  readonly key: string;
  readonly ours: T | null;
  readonly theirs: T | null;
}

/** Puts together what has the same key, in the order of keys. Of several with one key the n-th ones belong together. */
export function pairByKey<T>(
  ours: readonly T[],
  theirs: readonly T[],
  keyOf: (item: T) => string,
): readonly Pair<T>[] {
  const here = numbered(ours, keyOf);
  const there = numbered(theirs, keyOf);
  const keys = [...new Set([...here.keys(), ...there.keys()])].sort();
  return keys.map((key) => ({ key, ours: here.get(key) ?? null, theirs: there.get(key) ?? null }));
}

function numbered<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, T> {
  const counts = new Map<string, number>();
  return new Map(
    items.map((item) => {
      const key = keyOf(item);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return [count === 1 ? key : `${key} (${count})`, item];
    }),
  );
}

/** Build ids: in the paths of their links, in the provides of debuginfo packages. */
const buildIdPath = /(\/\.build-id\/)[0-9a-f]{2}(\/[0-9a-f]{6,}|(?=$))/;
const buildIdProvide = /^(debuginfo\(build-id\) = )[0-9a-f]{6,}/;

/** A path without its build id, so that links of the same program can be told to belong together. */
export function stablePath(path: string): string {
  return path.replace(buildIdPath, (_, start: string, rest: string) => `${start}*${rest === '' ? '' : '/*'}`);
}

/** A dependency without its build id. */
export function stableDependency(text: string): string {
  return text.replace(buildIdProvide, '$1*');
}
