import { quote } from '../../core/bash.ts';
import { packageManagerTitles } from '../plan/tag-settings.ts';
import type { PackageManager } from './package-manager.ts';
import { describeOutbound } from './rpm-transaction.ts';

/** Of the plug-in, and of its file without `.py`: dnf switches plug-ins on by that. */
const pluginName = 'adjutant';

/**
 * The one plug-in of a solve phase. It brings dnf's own `builddep` along, which lies where that dnf was
 * told when it was built, and writes the solution: each element of the transaction with its action, in dnf's order.
 */
const plugin = `import importlib.util
import json
import os

import dnf
import dnf.comps
import dnf.const
import dnf.transaction
from libdnf.transaction import TransactionItemAction_REASON_CHANGE

spec = importlib.util.spec_from_file_location('builddep', os.path.join(dnf.const.PLUGINPATH, 'builddep.py'))
# A name of its own: dnf holds the classes of plug-ins by weak references only.
builddep = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builddep)


# libcomps before 0.1.22 crashes when an iterator of one of its lists is asked for its own iterator, as Python from
# 3.13.1 on does for a comprehension, but not for map and filter: without this no group can be looked up.
class Comps:
    def categories_iter(self):
        return map(self._build_category, self._i.categories)

    def environments_iter(self):
        return map(self._build_environment, self._i.environments)

    def groups_iter(self):
        return map(self._build_group, self._i.groups)


def packages_of_type(self, type_):
    return list(filter(lambda package: package.type == type_, self.packages))


for name in ('categories_iter', 'environments_iter', 'groups_iter'):
    setattr(dnf.comps.Comps, name, getattr(Comps, name))
dnf.comps.Group._packages_of_type = packages_of_type


${describeOutbound}

INBOUND = {
    dnf.transaction.PKG_INSTALL: 'install',
    dnf.transaction.PKG_UPGRADE: 'upgrade',
    dnf.transaction.PKG_DOWNGRADE: 'downgrade',
    dnf.transaction.PKG_REINSTALL: 'reinstall',
    dnf.transaction.PKG_OBSOLETE: 'obsolete',
}
OUTBOUND = {
    dnf.transaction.PKG_REMOVE,
    dnf.transaction.PKG_UPGRADED,
    dnf.transaction.PKG_DOWNGRADED,
    dnf.transaction.PKG_REINSTALLED,
    dnf.transaction.PKG_OBSOLETED,
}


def inbound(package, action):
    return {
        'action': action,
        'name': str(package),
        'checksum': ':'.join(package.returnIdSum()),
        'sizeBytes': package.downloadsize,
        'repo': package.reponame,
        'location': package.location,
        'base': package.baseurl or None,
    }


class Solved(dnf.Plugin):
    name = '${pluginName}'

    # A requirement may name any file of a package, and newer ones read the lists of files only when told.
    def config(self):
        if hasattr(self.base.conf, 'optional_metadata_types'):
            self.base.conf.optional_metadata_types += ['filelists']

    def resolved(self):
        elements = []
        for item in self.base.transaction:
            if item.action in INBOUND:
                elements.append(inbound(item.pkg, INBOUND[item.action]))
            elif item.action in OUTBOUND:
                elements.append(outbound(self.base.conf.installroot, item.pkg.idx))
            elif item.action != TransactionItemAction_REASON_CHANGE:
                raise ValueError('an unknown action: {}'.format(item.action))
        solution = {'elements': elements}
        with open(os.environ['ADJUTANT_SOLUTION'], 'w') as answer:
            json.dump(solution, answer)
`;

/** dnf 4, a program in Python. */
export const dnf4: PackageManager = {
  name: 'dnf4',
  title: packageManagerTitles.dnf4,
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
