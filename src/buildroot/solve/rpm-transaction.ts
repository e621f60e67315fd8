import { packagePath } from '../../cache/package-cache.ts';
import type { Solution } from '../../cache/solver-cache.ts';
import { cachedPackages } from '../steps/container-specs.ts';
import { noRpmBindings } from '../steps/exit-codes.ts';

/** Where distributions have a Python with rpm's bindings: EL 8 has one that is not called `python3`. */
export const pythons = ['/usr/libexec/platform-python', 'python3'] as const;

/**
 * Lines of Python: `header_digest(header)` tells an installed package from every other one, the same name and version
 * included. What rpm keeps of it depends on how old the package is.
 */
export const headerDigest = `def header_digest(header):
    return header.sprintf('%|SHA256HEADER?{%{SHA256HEADER}}:{%|SHA1HEADER?{%{SHA1HEADER}}:{%{SIGMD5}}|}|')
`;

/** Lines of Python: `outbound(root, number)` describes the installed package with this number in rpm's database. */
export const describeOutbound = `${headerDigest}

def outbound(root, number):
    import rpm
    database = rpm.TransactionSet(root)
    database.setVSFlags(rpm.RPMVSF_MASK_NOSIGNATURES | rpm.RPMVSF_MASK_NODIGESTS)
    [header] = database.dbMatch(rpm.RPMDBI_PACKAGES, number)
    return {'action': 'remove', 'name': header.sprintf('%{NEVRA}'), 'header': header_digest(header)}
`;

/** What `transactionProgram` reads about a solution. */
export function renderTransaction({ elements }: Solution): string {
  const shown = elements.map((element) =>
    element.action === 'remove'
      ? element
      : {
          action: element.action,
          name: element.name,
          path: `${cachedPackages}/${packagePath(element.checksum)}`,
        },
  );
  return `${JSON.stringify(shown, null, 1)}\n`;
}

/**
 * `transaction.py ROOT FILE`: carries out, as one transaction of rpm, what `renderTransaction` has written into FILE. Each
 * element gets the call that dnf makes for its action (`dnf/db/group.py _populate_rpm_ts`, `libdnf5/rpm/transaction.cpp
 * fill`), dependencies, conflicts between files and room on the disk are checked, and an older version is taken where the
 * solver has chosen it. Digests are verified, signatures are not. Says what `rpm -Uv` would say; what scriptlets write comes in
 * between. Device nodes are left out, and so is everything below /proc and /sys. Ends with 0, with 1 when rpm could not do it,
 * and with `noRpmBindings`, before anything has happened, where it has no rpm. For rpm 4.14 and later.
 */
export const transactionProgram = `import ctypes
import json
import re
import stat
import sys

try:
    import rpm
except ImportError:
    sys.exit(${noRpmBindings})

${headerDigest}

def text(value):
    return value.decode('utf-8', 'surrogateescape') if isinstance(value, bytes) else value


def say(line):
    sys.stdout.buffer.write(line.encode('utf-8', 'surrogateescape') + b'\\n')
    sys.stdout.buffer.flush()


def devices_of(header):
    modes = header[rpm.RPMTAG_FILEMODES] or []
    if not any(stat.S_ISCHR(mode) or stat.S_ISBLK(mode) for mode in modes):
        return
    for mode, name in zip(modes, map(text, header[rpm.RPMTAG_FILENAMES])):
        if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and re.fullmatch('/[A-Za-z0-9/_.+-]+', name):
            yield name


def open_rpm(root):
    ts = rpm.TransactionSet(root)
    # A mask of rpm's own, and no keys: packages are those of the repo, and none of them is asked for a signature.
    flags = int(rpm.expandMacro('%{?_vsflags_install}') or '0', 0)
    ts.setVSFlags(flags | rpm.RPMVSF_MASK_NOSIGNATURES)
    ts.setVfyFlags(ts.getVfyFlags() | rpm.RPMVSF_MASK_NOSIGNATURES)
    ts.setVfyLevel(ts.getVfyLevel() & ~rpm.RPMSIG_SIGNATURE_TYPE)
    ts.setProbFilter(rpm.RPMPROB_FILTER_OLDPACKAGE)
    return ts


def read_headers(root, elements):
    """The headers of what comes, by path, and of what goes, by digest."""
    ts = open_rpm(root)
    found = {}
    for element in elements:
        if element['action'] != 'remove':
            with open(element['path'], 'rb') as opened:
                found[element['path']] = ts.hdrFromFdno(opened.fileno())
    leaving = {element['header'] for element in elements if element['action'] == 'remove'}
    if leaving:
        for header in ts.dbMatch():
            digest = header_digest(header)
            if digest in leaving:
                found[digest] = header
    return found


def leave_alone(headers):
    """Has rpm pass over what cannot be made in here. A transaction looks at this when it is made."""
    untouched = ['/proc', '/sys']
    for header in headers:
        for device in devices_of(header):
            say('left out, a device: ' + device)
            untouched.append(device)
    rpm.addMacro('_netsharedpath', ':'.join(untouched))


class Transaction:
    def __init__(self, root):
        self.ts = open_rpm(root)
        self.names = {}
        self.elements = []
        self.current = None
        self.doing = None
        self.file = None

    def add(self, elements, headers):
        for element in elements:
            action = element['action']
            header = headers.get(element['header'] if action == 'remove' else element['path'])
            if header is None:
                raise rpm.error('not in the root, from which it shall go: ' + element['name'])
            self.names[element.get('path')] = text(header[rpm.RPMTAG_NAME])
            if action == 'remove':
                self.ts.addErase(header)
            elif action == 'reinstall':
                self.ts.addReinstall(header, element['path'])
            else:
                self.ts.addInstall(header, element['path'], 'i' if action == 'install' else 'u')

    def run(self):
        """The problems that kept rpm from beginning, with what they are, or what has become of the rest."""
        self.ts.check()
        problems = list(self.ts.problems())
        if problems:
            return 'Failed dependencies:', problems
        self.ts.order()
        self.ts.clean()
        problems = self.ts.run(self.callback, '')
        if problems is None:
            return None
        return 'The transaction has failed.', [problem[0] for problem in problems]

    def begin(self, doing):
        if self.doing != doing:
            self.doing = doing
            say(doing)
        say(text(self.current.NEVRA()))

    def callback(self, what, amount, total, key, data):
        if what == rpm.RPMCALLBACK_VERIFY_START:
            say('Verifying packages...')
        elif what == rpm.RPMCALLBACK_TRANS_START:
            say('Preparing packages...')
        elif what == rpm.RPMCALLBACK_ELEM_PROGRESS:
            self.elements = self.elements or list(self.ts)
            self.current = self.elements[amount]
        elif what == rpm.RPMCALLBACK_INST_START:
            self.begin('Updating / installing...')
        elif what == rpm.RPMCALLBACK_UNINST_START:
            self.begin('Cleaning up / removing...')
        elif what == rpm.RPMCALLBACK_SCRIPT_ERROR:
            scriptlet = rpm.tagnames.get(amount, 'a')
            say('Error in {} scriptlet in rpm package {}'.format(scriptlet, self.names.get(key, key)))
        elif what == rpm.RPMCALLBACK_INST_OPEN_FILE:
            self.file = open(key, 'rb')
            return self.file.fileno()
        elif what == rpm.RPMCALLBACK_INST_CLOSE_FILE:
            self.file.close()


def main(root, path):
    # rpm and Lua scriptlets write through C's own buffer, which would come out at the end.
    libc = ctypes.CDLL(None)
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, 'stdout'), None, 1, 0)
    rpm.setVerbosity(rpm.RPMLOG_INFO)
    # It would make namespaces for each scriptlet, which nothing in here may; there is no network anyhow.
    rpm.addMacro('__transaction_unshare', '%{nil}')
    with open(path) as opened:
        elements = json.load(opened)
    try:
        headers = read_headers(root, elements)
        leave_alone(headers[element['path']] for element in elements if element['action'] != 'remove')
        transaction = Transaction(root)
        transaction.add(elements, headers)
        failure = transaction.run()
    except rpm.error as error:
        failure = 'The transaction cannot be made:', [error]
    if failure is None:
        return 0
    what, problems = failure
    say('error: ' + what)
    for problem in problems:
        say('\\t' + text(str(problem)))
    return 1


sys.exit(main(*sys.argv[1:]))
`;
