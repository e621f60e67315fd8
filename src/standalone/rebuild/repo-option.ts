import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { PackageRepo } from '../../buildroot/plan/repos.ts';
import { describeError } from '../../core/errors.ts';
import { BadRepo } from './repo-groups.ts';

/** dnf's variables, as `$basearch` or `${basearch}`. */
const variable = /\$(?:\{(\w+)[^}]*\}|(\w+))/g;

/**
 * The repo that `--repo` names, an http, https or file URL or a directory of this host; `index` counts them. Throws `BadRepo` for
 * what is none, and for URLs with dnf's variables: their values are those of a host's distribution, which a build has none of.
 */
export async function toRepo(text: string, index: number, arch: string): Promise<PackageRepo> {
  // The name counts for what is remembered of a solution.
  const id = index === 0 ? 'build' : `build-${index + 1}`;
  if (/^(https?|file):\/\//.test(text)) return { id, urls: [checkedUrl(text, arch).replace(/\/+$/, '')] };
  if (/^[a-z]+:\/\//.test(text))
    throw new BadRepo(`--repo ${text}: an http, https or file URL, or a directory`);
  const path = resolve(text);
  const found = await stat(join(path, 'repodata/repomd.xml')).catch(() => null);
  if (found === null)
    throw new BadRepo(
      `--repo ${text}: there is no repodata/repomd.xml in ${path}; createrepo_c makes it${adviceOf(text, arch)}`,
    );
  // dnf takes it for a variable where it is not encoded.
  return { id, urls: [pathToFileURL(path).href.replaceAll('$', '%24')] };
}

function checkedUrl(text: string, arch: string): string {
  if (text.search(variable) >= 0)
    throw new BadRepo(`--repo ${text}: it has variables of dnf${adviceOf(text, arch)}`);
  if (!URL.canParse(text)) throw new BadRepo(`--repo ${text}: not a URL`);
  if (!text.startsWith('file:')) return text;
  try {
    fileURLToPath(text);
    return text;
  } catch (error) {
    throw new BadRepo(`--repo ${text}: it names no directory of this host (${describeError(error)})`);
  }
}

/** What to write in place of each variable in the text; empty when there is none. */
function adviceOf(text: string, arch: string): string {
  const advice = new Map<string, string>();
  for (const [whole, braced, plain] of text.matchAll(variable)) {
    const name = (braced ?? plain ?? '').toLowerCase();
    const known = name === 'basearch' || name === 'arch';
    advice.set(
      whole,
      known
        ? `${arch} for ${whole}`
        : name.startsWith('releasever')
          ? `the release, such as 42, for ${whole}`
          : `its value for ${whole} (%24 stands for the sign itself)`,
    );
  }
  return advice.size === 0 ? '' : `: write ${[...advice.values()].join(', ')}`;
}
