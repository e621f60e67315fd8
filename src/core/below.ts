import { resolve, sep } from 'node:path';
import { BuilderError } from './errors.ts';

/** A path that was put together from texts of others leads out of the directory that it should lie in. */
export class OutsideDirectory extends BuilderError {
  constructor(base: string, parts: readonly string[]) {
    super(
      'outside-directory',
      'request',
      `${JSON.stringify(parts.join('/'))} is not a path below ${base}: a name in it has ".." or a character that no path has`,
    );
  }
}

/**
 * The absolute path of `parts` below the directory `base`; each part is one name or several with slashes between them.
 * For every path that a text of a package, a repo, a hub or a user is part of. By name alone: links are not looked at.
 * Throws `OutsideDirectory` when the path would not lie below `base`, or would be `base` itself.
 */
export function below(base: string, ...parts: readonly string[]): string {
  const directory = resolve(base);
  const path = resolve(directory, ...parts.map((part) => `./${part}`));
  const inside = directory.endsWith(sep) ? directory : `${directory}${sep}`;
  if (!path.startsWith(inside) || path.length === inside.length || path.includes('\0'))
    throw new OutsideDirectory(directory, parts);
  return path;
}
