import type { PackageManager } from './package-manager.ts';
import { quote } from './scripts.ts';

/** Of the plug-in, and of its file without `.py`: dnf switches plug-ins on by that. */
const pluginName = 'adjutant';

/**
 * The one plug-in of a solve phase. It brings dnf's own `builddep` along, which lies where that dnf was
 * told when it was built, and writes the solution: the packages to be installed, and the installed ones that it takes out of
 * the root, but for those that rpm takes out by itself (replaced by another version, or obsoleted).
 */
const plugin = `import importlib.util
import json
import os

import dnf
import dnf.const
import dnf.transaction

spec = importlib.util.spec_from_file_location('builddep', os.path.join(dnf.const.PLUGINPATH, 'builddep.py'))
# A name of its own: dnf holds the classes of plug-ins by weak references only.
builddep = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builddep)


def described(package):
    return {
        'name': str(package),
        'checksum': ':'.join(package.returnIdSum()),
        'sizeBytes': package.downloadsize,
        'repo': package.reponame,
        'location': package.location,
        'base': package.baseurl or None,
    }


class Solved(dnf.Plugin):
    name = '${pluginName}'

    def resolved(self):
        transaction = self.base.transaction
        removed = [item.pkg for item in transaction if item.action == dnf.transaction.PKG_REMOVE]
        solution = {
            'packages': [described(package) for package in sorted(transaction.install_set)],
            'removals': ['{0.name}-{0.version}-{0.release}.{0.arch}'.format(package) for package in removed],
        }
        with open(os.environ['ADJUTANT_SOLUTION'], 'w') as answer:
            json.dump(solution, answer)
`;

/** dnf 4, a program in Python. */
export const dnf4: PackageManager = {
  name: 'dnf4',
  title: 'dnf 4',
  // dnf 5 is no script.
  find: 'manager=$(command -v dnf-3 || command -v dnf) && read -rn2 magic <"$manager" && [ "$magic" = "#!" ]',
  packages: 'dnf, dnf-plugins-core',
  files: { [`dnf-plugins/${pluginName}.py`]: plugin },
  environment: {},

  solve(goal, releaseVersion) {
    const request =
      goal.kind === 'group'
        ? `install ${quote(`@${goal.group}`)}`
        : goal.kind === 'packages'
          ? `install ${goal.names.map(quote).join(' ')}`
          : `builddep ${quote(`/adjutant/in/${goal.file}`)}`;
    return [
      '-c /adjutant/in/dnf.conf',
      '--installroot=/mnt/root',
      ...(releaseVersion === null ? [] : [`--releasever=${quote(releaseVersion)}`]),
      '--setopt=cachedir=/adjutant/solve/cache',
      // dnf puts the installroot in front of it, for all logs but hawkey's.
      '--setopt=logdir=/adjutant/solve/logs',
      '--setopt=pluginpath=/adjutant/in/dnf-plugins',
      `--disableplugin='*' --enableplugin=${pluginName}`,
      '--allowerasing --assumeno',
      request,
    ].join(' ');
  },
};
