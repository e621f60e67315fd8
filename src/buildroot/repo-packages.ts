import { z } from 'zod';
import { HubFileError, type HubFiles } from '../hub/files.ts';
import { BuildrootUnavailable } from './errors.ts';
import type { RepoPackage } from './installed-packages.ts';

const RepoLine = z.object({
  id: z.int(),
  name: z.string(),
  version: z.string(),
  release: z.string(),
  arch: z.string(),
  payloadhash: z.string(),
});

/**
 * Reads the list of the packages a repo has for an arch, which the hub has written beside it. Throws
 * `BuildrootUnavailable` when there is none, or it is not one.
 */
export async function readRepoPackages(
  files: HubFiles,
  path: string,
  signal: AbortSignal,
): Promise<readonly RepoPackage[]> {
  let text: string;
  try {
    text = await files.text(path, signal);
  } catch (error) {
    if (!(error instanceof HubFileError && error.missing)) throw error;
    throw new BuildrootUnavailable(
      `the repo has no list of its packages (${path}): it was made by a hub before 1.34, make a new one`,
      { cause: error },
    );
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
    return RepoLine.parse(JSON.parse(line));
  } catch (error) {
    throw new BuildrootUnavailable(`${place} does not describe a package; the repo has to be made again`, {
      cause: error,
    });
  }
}
