import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/**
 * The directories of this host that `file:` URLs among these name, each once: containers do not see them otherwise.
 * One that is not there is left out; the solver then says so.
 */
export async function localRepos(repoUrls: readonly string[]): Promise<readonly string[]> {
  const paths = new Set(repoUrls.filter((url) => url.startsWith('file:')).map((url) => fileURLToPath(url)));
  const found: string[] = [];
  for (const path of paths) {
    const there = await stat(path).catch(() => null);
    if (there?.isDirectory()) found.push(path);
  }
  return found;
}
