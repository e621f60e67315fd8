import { quote } from '../../core/bash.ts';
import { packageManagerTitles } from '../plan/tag-settings.ts';
import type { PackageManager } from './package-manager.ts';
import { describeOutbound } from './rpm-transaction.ts';

/** Of the plug-in, of its file without `.py`, and of its configuration. */
const pluginName = 'adjutant';

/** Where its plug-ins are, below `/adjutant/in`. */
const place = 'dnf5-plugins';

/** Where distributions have its loader of plug-ins in Python. */
const loaders = '/usr/lib{64,}/{,*/}libdnf5/plugins/python_plugins_loader.so';

/**
 * The one plug-in of a solve phase. It writes the solution: each element of the transaction with its action, in dnf's order.
 */
const plugin = `import json
import os

import libdnf5
from libdnf5 import transaction as actions

${describeOutbound}

INBOUND = {
    actions.TransactionItemAction_INSTALL: 'install',
    actions.TransactionItemAction_UPGRADE: 'upgrade',
    actions.TransactionItemAction_DOWNGRADE: 'downgrade',
    actions.TransactionItemAction_REINSTALL: 'reinstall',
}


def inbound(package, action):
    checksum = package.get_checksum()
    return {
        'action': action,
        'name': package.get_nevra(),
        'checksum': checksum.get_type_str() + ':' + checksum.get_checksum(),
        'sizeBytes': package.get_download_size(),
        'repo': package.get_repo_id(),
        'location': package.get_location(),
        'base': package.get_baseurl() or None,
    }


class Plugin(libdnf5.plugin.IPlugin2_1):
    @staticmethod
    def get_api_version():
        return libdnf5.PluginAPIVersion(2, 1)

    @staticmethod
    def get_name():
        return '${pluginName}'

    @staticmethod
    def get_version():
        return libdnf5.plugin.Version(1, 0, 0)

    def get_attribute(self, name):
        return None

    def goal_resolved(self, transaction):
        # Called also when there is no solution, with nothing in it.
        if transaction.get_problems() != libdnf5.base.GoalProblem_NO_PROBLEM:
            return
        root = self.get_base().get_config().installroot
        elements = []
        for item in transaction.get_transaction_packages():
            action, package = item.get_action(), item.get_package()
            if action in INBOUND:
                elements.append(inbound(package, INBOUND[action]))
            elif actions.transaction_item_action_is_outbound(action):
                elements.append(outbound(root, package.get_rpmdbid()))
            elif action != actions.TransactionItemAction_REASON_CHANGE:
                raise ValueError('an unknown action: {}'.format(action))
        solution = json.dumps({'elements': elements})
        with open(os.environ['ADJUTANT_SOLUTION'], 'w') as answer:
            answer.write(solution)
`;

/**
 * dnf 5, with its loader of plug-ins in Python: of what it prints nothing tells the digests of packages. As in mock it may
 * change vendors, as dnf 4 does; and it gets the lists of files, as dnf 4 does: without them any file outside of /etc and bin
 * directories is provided by nothing.
 */
export const dnf5: PackageManager = {
  name: 'dnf5',
  title: packageManagerTitles.dnf5,
  find: `manager=$(command -v dnf5) && { for loader in ${loaders}; do [ ! -e "$loader" ] || break; done; [ -e "$loader" ]; }`,
  packages: 'dnf5, dnf5-plugins, python3-libdnf5-python-plugins-loader',
  files: {
    [`${place}/python_plugins_loader.conf`]: '[main]\nname=python_plugins_loader\nenabled=1\n',
    [`${place}/python_plugins_loader.d/${pluginName}.conf`]: `[main]\nname=${pluginName}\nenabled=1\n`,
    [`${place}/${pluginName}.py`]: plugin,
  },
  environment: { LIBDNF_PYTHON_PLUGIN_DIR: `/adjutant/in/${place}` },

  solve(goal, releaseVersion) {
    const [command, what] =
      goal.kind === 'group'
        ? ['install', quote(`@${goal.group}`)]
        : goal.kind === 'packages'
          ? ['install', goal.names.map(quote).join(' ')]
          : ['builddep', quote(`/adjutant/in/${goal.file}`)];
    return [
      '--config=/adjutant/in/dnf.conf',
      '--installroot=/mnt/root',
      ...(releaseVersion === null ? [] : [`--releasever=${quote(releaseVersion)}`]),
      '--setopt=cachedir=/adjutant/solve/cache',
      '--setopt=logdir=/adjutant/solve/logs',
      // dnf 5 reads settings out of the root, which must not lead it to programs in there.
      `--setopt=plugins=1 --setopt=pluginpath="\${loader%/*}" --setopt=pluginconfpath=/adjutant/in/${place}`,
      '--setopt=allow_vendor_change=1',
      '--setopt=optional_metadata_types=comps,filelists',
      '--assumeno',
      command,
      '--allowerasing',
      what,
    ].join(' ');
  },
};
