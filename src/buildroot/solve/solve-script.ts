import { personalityPrefix, quote, script } from '../../core/bash.ts';
import { trustLines } from '../plan/host-network.ts';
import type { PackageManagerName } from '../plan/tag-settings.ts';
import { noPackageManager } from '../steps/exit-codes.ts';
import type { SolveGoal } from './package-manager.ts';
import { eligibleManagers } from './package-managers.ts';

/**
 * Solve phase, in the bootstrap image: the package manager that the tag asks for, or else the first that the image has, solves
 * against the root at `/mnt/root` and leaves the solution in `/adjutant/solve/solution.json`. Nothing is fetched but the
 * repo's metadata. Ends with 0 also when nothing is missing, with `noPackageManager` where the image has none that will do.
 */
export function solveScript(
  goal: SolveGoal,
  settings: {
    readonly packageManager: PackageManagerName | null;
    readonly releaseVersion: string | null;
    readonly personality: string | null;
  },
): string {
  const { packageManager, releaseVersion, personality } = settings;
  return script([
    'export LC_ALL=C.UTF-8 ADJUTANT_SOLUTION=/adjutant/solve/solution.json',
    ...eligibleManagers(packageManager).flatMap(({ find, environment, ...manager }, index) => [
      `${index === 0 ? 'if' : 'elif'} ${find}; then`,
      ...Object.entries(environment).map(([name, value]) => `  export ${name}=${quote(value)}`),
      `  set -- ${manager.solve(goal, releaseVersion)}`,
    ]),
    'else',
    ...eligibleManagers(packageManager).map(
      ({ title, packages }) =>
        `  echo ${quote(`this image has no ${title} with what is needed here (${packages})`)}`,
    ),
    `  exit ${noPackageManager}`,
    'fi',
    ...trustLines,
    'mkdir -p /mnt/root /adjutant/solve/cache /adjutant/solve/logs',
    // Of the copy that this step has: a package may have put links there, and dnf 4 writes its logs below it.
    'rm -rf /mnt/root/adjutant',
    `${personalityPrefix(personality)}"$manager" "$@"`,
    'status=$?',
    // Where dnf 4 has put them.
    'for log in /mnt/root/adjutant/solve/logs/dnf*.log; do',
    '  [ ! -f "$log" ] || cat "$log" >>"/adjutant/solve/logs/${log##*/}"',
    'done',
    // It was told to do nothing about its solution, and says so with its own status.
    '[ ! -s "$ADJUTANT_SOLUTION" ] || exit 0',
    'exit "$status"',
  ]);
}
