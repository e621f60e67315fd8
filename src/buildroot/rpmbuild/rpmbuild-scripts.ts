import { buildUser } from '../plan/mock-environment.ts';
import { noRpmBindings, pythons } from '../solve/rpm-transaction.ts';
import { passStatusOn } from '../steps/step-failure.ts';

/**
 * The scripts that are the main processes of a buildroot's containers. Each runs once; what it needs
 * is mounted below `/adjutant`: `in` (read-only: script, configuration, source package), and for the
 * phases that execute nothing of a package `solve`, `cache` or `out`. All of a script's output is one log.
 */

/** `rpm` could not unpack the source package; mock's exit status for it is the same. */
export const sourceNotInstallable = 40;
/** The root has no such program, by the script's status: its packages do not bring it. */
export const lackingPrograms: Readonly<Record<number, 'rpm' | 'rpmbuild'>> = { 94: 'rpm', 95: 'rpmbuild' };
/** A package in the cache is not what its name says. */
export const damagedPackage = 41;
/** The package, made again in its root, does not ask for what was installed for it. */
export const otherRequirements = 97;
/** rpmbuild's own status for "build requirements are missing", which is how `-br` ends. */
export const requirementsMissing = 11;

const head = ['#!/bin/bash', 'exec </dev/null 2>&1', 'set -u', 'umask 022', 'cd /'];

/** What a script finds in the build user's home: nothing, or what the script before it has left. */
export type HomeState = 'empty' | 'unpacked' | 'prepared';

/** The files an install phase reads beside its script, in `/adjutant/in`. */
export interface InstallInputs {
  /** Digests of the packages as `sha256sum --check` wants them, by the command that checks them. */
  readonly digests: Readonly<Record<string, string>>;
  /** What is to be done, for `transactionProgram`. */
  readonly transaction: string;
}

/**
 * Install phase, in the bootstrap image without network: changes the root at `/mnt/root` by one transaction of rpm, carried
 * out by the `transactionProgram` in `/adjutant/in/transaction.py`, and lists what the root then holds in
 * `/adjutant/out/installed`. Ends with `damagedPackage`, before the root is touched, when a package of the cache is not what
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
    `rpm --root "$root" -qa --qf ${quote(installedFormat)} >/adjutant/out/installed || exit 1`,
  ]);
}

/** One line of a listing of installed packages: tab separated, read by `installed-packages.ts`. SIZE ends at 4 GiB. */
export const installedFormat =
  '%{NAME}\\t%|EPOCH?{%{EPOCH}}:{}|\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{SIGMD5}\\t%{LONGSIZE}\\t%{BUILDTIME}\\n';

/**
 * Source phase, in a throw-away layer on the root: makes the source package again for the target arch,
 * so that its BuildRequires are those the target's macros give (as mock does before it installs them).
 */
export function sourceScript(
  source: string,
  targetArch: string,
  personality: string | null,
  state: HomeState,
): string {
  return script([
    ...findPrograms,
    ...(state === 'empty' ? unpack(source) : []),
    ...findSpec(source),
    ...asMock,
    ...rpmbuild(`-bs --target ${quote(targetArch)} --nodeps`, personality),
  ]);
}

/**
 * In the home that `sourceScript` has left: %prep, unless it is `prepared`, and %generate_buildrequires; ends with
 * 11 when something is missing.
 */
export function generateRequiresScript(
  source: string,
  targetArch: string,
  personality: string | null,
  state: HomeState,
): string {
  return script([
    ...findPrograms,
    ...findSpec(source),
    ...forgetRequires,
    ...asMock,
    ...rpmbuild(
      `-br${state === 'prepared' ? ' --noprep' : ''} --target ${quote(targetArch)} --nodeps`,
      personality,
    ),
  ]);
}

/**
 * Build phase: binary packages; in a home where `generateRequiresScript` has run %prep already the source package is
 * written again, too.
 */
export function buildScript(
  source: string,
  targetArch: string,
  personality: string | null,
  state: HomeState,
): string {
  const mode = state === 'prepared' ? '-ba --noprep' : '-bb';
  return script([
    ...findPrograms,
    ...(state === 'empty' ? unpack(source) : []),
    ...findSpec(source),
    ...forgetRequires,
    ...asMock,
    ...rpmbuild(`${mode} --target ${quote(targetArch)} --nodeps`, personality),
  ]);
}

/**
 * Build phase of a package whose requirements were taken from its header as it came: makes it again for the target
 * arch first, and builds only if it then asks for the same (`/adjutant/in/requirements`); else it ends with
 * `otherRequirements`.
 */
export function checkedBuildScript(source: string, targetArch: string, personality: string | null): string {
  const target = `--target ${quote(targetArch)} --nodeps`;
  return script([
    ...findPrograms,
    ...unpack(source),
    ...findSpec(source),
    ...asMock,
    ...rpmbuild(`-bs ${target}`, personality, 'remade'),
    // What this rpm wants of itself it has.
    'requirements=$(while IFS= read -r line; do',
    '  case $line in "rpmlib(DynamicBuildRequires)"*) ;; "rpmlib("*) continue ;; esac',
    '  printf "%s\\n" "$line"',
    `done < <("$rpm" -qp --nosignature --nodigest --qf ${quote(requirementsFormat)} ~/build/SRPMS/*src.rpm 2>/dev/null))`,
    `if [ "$requirements" != "$(</adjutant/in/${requirementsFile})" ]; then`,
    '  echo "In this root the package has other build requirements than before; they are looked for again."',
    `  exit ${otherRequirements}`,
    'fi',
    ...rpmbuild(`-bb ${target}`, personality),
  ]);
}

/** Where a build phase finds the requirements that were installed for the package. */
export const requirementsFile = 'requirements';

/** A line for each requirement, as `requirementsText` writes them. */
const requirementsFormat = '[%{REQUIRENAME} %{REQUIREFLAGS} %{REQUIREVERSION}\\n]';

/** What a rebuildSRPM task runs: `rpmbuild -bs`, without a target of its own. */
export function rebuildSourceScript(source: string): string {
  return script([...findPrograms, ...unpack(source), ...unpackedSpec, ...rpmbuild('-bs --nodeps', null)]);
}

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
    // For scriptlets; a build has a /dev of its own.
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

/** Where mock looks for them first (`rpm_command`, `rpmbuild_command`): not all distributions have them in /usr/bin. */
const findPrograms = Object.entries(lackingPrograms).map(
  ([status, name]) =>
    `${name}=$(PATH=${name === 'rpm' ? '/bin:/usr/bin' : '/usr/bin:/bin'}:$PATH type -P ${name}) || { echo "the root has no ${name}"; exit ${status}; }`,
);

function unpack(source: string): readonly string[] {
  return [
    'mkdir -p ~/build/{RPMS,SPECS,SRPMS,SOURCES,BUILD,BUILDROOT,originals}',
    'printf "%s\\n" "$(</adjutant/in/rpmmacros)" >~/.rpmmacros',
    `if ! said=$("$rpm" -Uvh --nodeps ${quote(`/adjutant/in/${source}`)} 2>&1); then`,
    '  printf "Source RPM is not installable:\\n%s\\n" "$said"',
    `  exit ${sourceNotInstallable}`,
    'fi',
  ];
}

/** As koji finds it: where rpm has put it, which is not where sources go, whatever those are called. */
const unpackedSpec = [
  'shopt -s nullglob',
  'specs=(~/build/SPECS/*.spec)',
  'shopt -u nullglob',
  'spec=${specs[0]-} spec=${spec##*/}',
  'if [ "${#specs[@]}" -ne 1 ]; then',
  '  printf "%s spec files in the source package\\n" "${#specs[@]}"',
  `  exit ${sourceNotInstallable}`,
  'fi',
];

/** As mock finds it: the first name that ends so, which may be that of a source. */
function findSpec(source: string): readonly string[] {
  return [
    'while IFS= read -r spec; do',
    '  case $spec in *.spec) break ;; esac',
    `done < <("$rpm" -qpl ${quote(`/adjutant/in/${source}`)} 2>/dev/null)`,
    'if [ -z "$spec" ]; then',
    '  echo "No specfile found in the source package"',
    `  exit ${sourceNotInstallable}`,
    'fi',
  ];
}

/** The list of the round before is no result. */
const forgetRequires = ['rm -f ~/build/SRPMS/*.buildreqs.nosrc.rpm'];

/**
 * Without %clean, which a root that is thrown away does not need, wherever rpmbuild knows how (mock's
 * `_rpmbuild_noclean_option`): a %clean that fails must not fail the build. koji's own `rpmbuild -bs` has it not.
 */
const asMock = ['case $("$rpmbuild" --help) in *--noclean*) set -- --noclean ;; esac'];

/**
 * As a login shell with the name of the spec as its argument: spec names may hold anything. The script stays
 * as the container's first process, to reap what the build leaves behind: a test that waits for a daemon to
 * be gone would see it as a zombie for ever.
 */
function rpmbuild(
  options: string,
  personality: string | null,
  then: 'done' | 'remade' = 'done',
): readonly string[] {
  return [
    // Shells count from here, as under mock.
    'unset SHLVL',
    `${personalityPrefix(personality)}/bin/bash --login -c ${quote(`exec "$0" ${options} "$@"`)} "$rpmbuild" "$@" ~/build/SPECS/"$spec"`,
    ...passStatusOn,
    then === 'done' ? 'exit "$status"' : '[ "$status" -eq 0 ] || exit "$status"',
  ];
}

/** The command by which somebody in a shell of the build user does again what a script has done. */
export function repeatCommand(options: string, personality: string | null): string {
  return `${personalityPrefix(personality)}rpmbuild ${options} --nodeps ~/build/SPECS/*.spec`;
}

/** Before a command that shall see another machine name. */
export function personalityPrefix(personality: string | null): string {
  return personality === null ? '' : `setarch ${quote(personality)} `;
}

/** A script of these lines, as all of them begin. */
export function script(lines: readonly string[]): string {
  return `${[...head, ...lines].join('\n')}\n`;
}

/** A word for bash, whatever it holds. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
