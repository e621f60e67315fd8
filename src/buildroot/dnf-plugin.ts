/** Name of the plug-in, and of its file without `.py`: dnf switches plug-ins on by that. */
export const dnfPluginName = 'adjutant';

/**
 * The one plug-in of a fetch phase, for dnf 4. It brings dnf's own `builddep` along, which lies where that dnf was
 * told when it was built, and writes the installed packages that a solution takes out of the root, one
 * `NAME-VERSION-RELEASE.ARCH` in a line, into the file that `ADJUTANT_REMOVALS` names. Left out are those that
 * rpm takes out by itself: replaced by another version, or obsoleted.
 */
export const dnfPlugin = `import importlib.util
import os

import dnf
import dnf.const
import dnf.transaction

spec = importlib.util.spec_from_file_location('builddep', os.path.join(dnf.const.PLUGINPATH, 'builddep.py'))
# A name of its own: dnf holds the classes of plug-ins by weak references only.
builddep = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builddep)


class Removals(dnf.Plugin):
    name = '${dnfPluginName}'

    def resolved(self):
        with open(os.environ['ADJUTANT_REMOVALS'], 'w') as removals:
            for item in self.base.transaction:
                if item.action == dnf.transaction.PKG_REMOVE:
                    removals.write('{0.name}-{0.version}-{0.release}.{0.arch}\\n'.format(item.pkg))
`;
