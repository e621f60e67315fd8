import { personalityPrefix, quote, script } from '../../core/bash.ts';
import { buildUser } from '../plan/mock-environment.ts';
import { pythons } from '../solve/rpm-transaction.ts';
import { cachedPackages } from '../steps/container-specs.ts';
import { damagedPackage, noRpmBindings } from '../steps/exit-codes.ts';

/** The files an install phase reads beside its script, in `/adjutant/in`. */
export interface InstallInputs {
  /** Digests of the packages as `sha256sum --check` wants them, by the command that checks them. */
  readonly digests: Readonly<Record<string, string>>;
  /** What is to be done, for `transactionProgram`. */
  readonly transaction: string;
}

/**
 * Install phase, in the bootstrap image without network: changes the root at `/mnt/root` by one transaction of rpm, carried
 * out by the `transactionProgram` in `/adjutant/in/transaction.py`. From there on its programs may be those of a package, and
 * so may be what it says. Ends with `damagedPackage`, before the root is touched, when a package of the cache is not what
 * its name says, and with `noRpmBindings` where the image cannot run the program.
 */
export function installScript(settings: {
  /** Ends the names of its input files in `/adjutant/in`. */
  readonly attempt: number;
  readonly inputs: InstallInputs;
  /** The first transaction also makes the directories, the build user and the files that mock makes. */
  readonly fresh: boolean;
  readonly personality: string | null;
  readonly machineId: string;
  readonly localTime: string | null;
}): string {
  const { attempt, inputs, fresh } = settings;
  const input = (name: string) => `/adjutant/in/${name}-${attempt}`;
  const setarch = personalityPrefix(settings.personality);
  return script([
    'export LC_ALL=C.UTF-8 HOME=/root',
    'root=/mnt/root',
    ...Object.keys(inputs.digests).map(
      (command) => `${command} --check --quiet --strict ${input(command)} || exit ${damagedPackage}`,
    ),
    ...(fresh ? skeleton(settings) : []),
    `status=${noRpmBindings}`,
    `for python in ${pythons.join(' ')}; do`,
    '  command -v "$python" >/dev/null || continue',
    `  ${setarch}"$python" -I /adjutant/in/transaction.py "$root" /adjutant/in/transaction-${attempt}.json`,
    '  status=$?',
    `  [ "$status" -eq ${noRpmBindings} ] || break`,
    'done',
    'case $status in',
    '  0) ;;',
    `  ${noRpmBindings}) echo "this image has no Python with the bindings of rpm (python3-rpm)"; exit "$status" ;;`,
    '  *) exit 1 ;;',
    'esac',
    ...(fresh ? finish : []),
  ]);
}

/** Between the two parts of what a list phase says. No package has such a line. */
export const listingDivider = '--';

/**
 * List phase, in the bootstrap image without network: says what the packages are that `/adjutant/in/packages-ATTEMPT` names by
 * their paths in the cache, and after `listingDivider` what the database of the root at `/mnt/root` holds.
 */
export function listScript(attempt: number): string {
  const format = `--qf ${quote(installedFormat)} --nosignature --nodigest`;
  return script([
    'export LC_ALL=C.UTF-8 HOME=/root',
    `cd ${cachedPackages} && mapfile -t packages </adjutant/in/packages-${attempt} || exit 1`,
    `[ "\${#packages[@]}" -eq 0 ] || rpm -qp ${format} "\${packages[@]}" || exit 1`,
    `echo ${listingDivider}`,
    `rpm --root /mnt/root -qa ${format}`,
  ]);
}

/** One line of a listing of packages: tab separated, read by `installed-packages.ts`. SIZE ends at 4 GiB. */
export const installedFormat =
  '%{NAME}\\t%|EPOCH?{%{EPOCH}}:{}|\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{SIGMD5}\\t%{LONGSIZE}\\t%{BUILDTIME}\\n';

/** mock's, for builds without network; it is there before a package's own, which then becomes `hosts.rpmnew`. */
const hosts = [
  '127.0.0.1 localhost localhost.localdomain',
  '::1       localhost localhost.localdomain localhost6 localhost6.localdomain6',
  '',
].join('\n');

/** What mock puts into a root before the first package: `mockbuild/buildroot.py` `_init` up to `_init_pkg_management`. */
function skeleton(settings: {
  readonly machineId: string;
  readonly localTime: string | null;
}): readonly string[] {
  return [
    // The engine makes it 0555. Where a package owns it, its mode counts.
    'chmod 755 "$root"',
    'for d in var/lib/rpm var/lib/yum var/lib/dbus var/log var/cache/dnf var/cache/yum etc/rpm tmp var/tmp etc/dnf/vars etc/yum proc sys; do',
    '  mkdir -p "$root/$d" || exit 1',
    'done',
    'chmod 1777 "$root/tmp" "$root/var/tmp"',
    'ln -s ../proc/self/mounts "$root/etc/mtab"',
    // For scriptlets; a build has its own /dev.
    'ln -s /proc/self/fd "$root/dev/fd"',
    'for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${n%%:*}" "$root/dev/${n#*:}"; done',
    'touch "$root/etc/fstab" "$root/etc/yum/yum.conf" "$root/etc/dnf/dnf.conf" "$root/var/log/yum.log" "$root/etc/resolv.conf"',
    'ln -s yum/yum.conf "$root/etc/yum.conf"',
    `echo ${quote(settings.machineId)} >"$root/etc/machine-id"`,
    'ln -s ../../../etc/machine-id "$root/var/lib/dbus/machine-id"',
    `printf %s ${quote(hosts)} >"$root/etc/hosts"`,
    ...(settings.localTime === null ? [] : [`ln -s ${quote(settings.localTime)} "$root/etc/localtime"`]),
  ];
}

const userLine = `${buildUser.name}:x:${buildUser.uid}:${buildUser.gid}::${buildUser.home}:/bin/bash`;

/** What mock adds when the packages of the group are there. */
const finish = [
  'touch "$root/etc/passwd" "$root/etc/group" "$root/etc/os-release"',
  `sed -i '/^${buildUser.name}:/d' "$root/etc/passwd"`,
  `sed -i '/^${buildUser.group}:/d' "$root/etc/group"`,
  `echo ${quote(userLine)} >>"$root/etc/passwd"`,
  `echo ${quote(`${buildUser.group}:x:${buildUser.gid}:`)} >>"$root/etc/group"`,
  `home="$root${buildUser.home}"`,
  `if [ -L "$home" ]; then echo "${buildUser.home} is a symbolic link in this root: no package may own it as one"; exit 1; fi`,
  // Once, as mock's `_cleanup_homedir` before a build, and with what that spares: what is brought later stays.
  '[ -d "$home/build" ] && [ ! -L "$home/build" ] || rm -rf "$home/build"',
  'shopt -s dotglob nullglob',
  'for entry in "$home"/* "$home"/build/*; do',
  '  case ${entry#"$home"/} in .bashrc | .bash_history | build | build/SOURCES) ;; *) rm -rf -- "$entry" || exit 1 ;; esac',
  'done',
  'shopt -u dotglob nullglob',
  'mkdir -p "$home"/build/{RPMS,SPECS,SRPMS,SOURCES,BUILD,BUILDROOT,originals} || exit 1',
  `chown -Rh ${buildUser.uid}:${buildUser.gid} "$home" || exit 1`,
];
