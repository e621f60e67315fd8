import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/**
 * The directories of this host that `file:` URLs among these name, each once: containers do not see them otherwise.
 * One that is not there is left out; the solver then says so.
 */
export async function localRepos(repoUrls: readonly string[]): Promise<readonly string[]> {
  const paths = new Set(repoUrls.filter((url) => url.startsWith('file:')).flatMap(localPath));
  const found: string[] = [];
  for (const path of paths) {
    const there = await stat(path).catch(() => null);
    if (there?.isDirectory()) found.push(path);
  }
  return found;
}

/** Nothing for a URL with the name of another host: the solver says so then. */
function localPath(url: string): readonly string[] {
  try {
    return [fileURLToPath(url)];
  } catch {
    return [];
  }
}
