import { trustLines } from '../../buildroot/plan/host-network.ts';
import { quote } from '../../core/bash.ts';

/** How packages of the hub and of external repos are put together; each has its own options of `mergerepo_c`. */
export type MergeMode = 'koji' | 'simple' | 'bare';

export interface MergeOrder {
  readonly mode: MergeMode;
  readonly arch: string;
  /** Whether `/adjutant/in/comps.xml` holds groups. */
  readonly groups: boolean;
  /** URLs, the local repo first. */
  readonly repos: readonly string[];
}

/** The script's exit code when mode simple needs a newer `mergerepo_c`; its version is in `/adjutant/merge/version`. */
export const oldMergerepo = 200;

const modeOptions: Readonly<Record<MergeMode, string>> = {
  koji: '--koji',
  simple: '--koji --simple',
  bare: '--pkgorigins --all',
};

/** The command kojid runs, with the result in `/adjutant/merge/repo`; like kojid's, the log begins with it. */
export function mergeScript({ mode, arch, groups, repos }: MergeOrder): string {
  const words = [
    `mergerepo_c ${modeOptions[mode]}`,
    ...(mode === 'bare' ? [] : ['-b /adjutant/in/blocklist']),
    `-a ${quote(arch)} -o /adjutant/merge/repo`,
  ];
  const more = [...(groups ? ['-g /adjutant/in/comps.xml'] : []), ...repos.map((url) => `-r ${quote(url)}`)];
  return [
    '#!/bin/bash',
    'exec </dev/null 2>&1',
    ...trustLines,
    'number=0 version=None',
    "if [[ $(mergerepo_c --version) =~ ^'Version: '([0-9]+)[.]([0-9]+)[.]([0-9]+) ]]; then",
    '  version="${BASH_REMATCH[1]}.${BASH_REMATCH[2]}.${BASH_REMATCH[3]}"',
    '  number=$((10#${BASH_REMATCH[1]} * 1000000 + 10#${BASH_REMATCH[2]} * 1000 + 10#${BASH_REMATCH[3]}))',
    'fi',
    ...(mode === 'simple'
      ? [
          'if [ "$number" -lt 13000 ]; then',
          '  printf %s "$version" >/adjutant/merge/version || exit 1',
          `  exit ${oldMergerepo}`,
          'fi',
        ]
      : []),
    `words=(${words.join(' ')})`,
    '[ "$number" -lt 15011 ] || words+=(--arch-expand)',
    `words+=(${more.join(' ')})`,
    'echo "$ ${words[*]}"',
    'exec "${words[@]}"',
    '',
  ].join('\n');
}
