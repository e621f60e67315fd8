/** Name of the plug-in, and of its file without `.py`: dnf switches plug-ins on by that. */
export const dnfPluginName = 'adjutant';

/**
 * The one plug-in of a solve phase, for dnf 4. It brings dnf's own `builddep` along, which lies where that dnf was
 * told when it was built, and writes the solution into the file that `ADJUTANT_SOLUTION` names, in the shape of
 * `Solution`: the packages to be installed, and the installed ones that it takes out of the root, but for those that
 * rpm takes out by itself (replaced by another version, or obsoleted).
 */
export const dnfPlugin = `import importlib.util
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
    name = '${dnfPluginName}'

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
