import { posix } from 'node:path';

/**
 * The files that a file imports, as paths relative to where its own path begins: values and types, what is exported from
 * elsewhere, and what is imported late. Packages are left out.
 */
export function importedFiles(path: string, text: string): readonly string[] {
  const found = [...text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^'\n]+)'/g)];
  return found.map(([, specifier = '']) => posix.join(posix.dirname(path), specifier));
}

/** Circles among files that import one another, the first file of each again at its end; none: an empty list. */
export function findCircles(imports: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (file: string): void => {
    const at = way.indexOf(file);
    if (at >= 0) circles.push([...way.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    way.push(file);
    for (const next of imports.get(file) ?? []) visit(next);
    way.pop();
    done.add(file);
  };
  for (const file of imports.keys()) visit(file);
  return circles;
}
