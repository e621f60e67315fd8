import { TaggedPackage } from '../../hub/api/repos.ts';
import { HubFileError, type HubFiles } from '../../hub/files.ts';
import { BuildrootUnavailable } from '../errors.ts';
import type { RepoPackage } from '../root/installed-packages.ts';

/**
 * Reads the list of the packages a repo has for an arch, which the hub has written beside it; null when there is
 * none, as in repos made by hubs before 1.34. Throws `BuildrootUnavailable` when it is not one.
 */
export async function readRepoPackages(
  files: HubFiles,
  path: string,
  signal: AbortSignal,
): Promise<readonly RepoPackage[] | null> {
  let text: string;
  try {
    text = await files.text(path, signal);
  } catch (error) {
    if (!(error instanceof HubFileError && error.missing)) throw error;
    return null;
  }
  return parseRepoPackages(text, path);
}

/** Reads the list itself, a package in each line; `path` is for messages. Throws `BuildrootUnavailable`. */
export function parseRepoPackages(text: string, path: string): readonly RepoPackage[] {
  return text
    .split('\n')
    .flatMap((line, index) => (line === '' ? [] : [parseLine(line, `${path}:${index + 1}`)]));
}

function parseLine(line: string, place: string): RepoPackage {
  try {
    return TaggedPackage.parse(JSON.parse(line));
  } catch (error) {
    throw new BuildrootUnavailable(`${place} does not describe a package; the repo has to be made again`, {
      cause: error,
    });
  }
}
