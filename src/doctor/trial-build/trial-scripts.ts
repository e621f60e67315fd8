import { buildUser } from '../../buildroot/plan/mock-environment.ts';

/** Names that the trial's packages begin with, and their user. */
export const trialName = 'adjutant-trial';
const trialId = 901;

/** Says what was wrong, in a line that the finding shows, and ends the script. */
const failFunction = `fail() { echo "trial: $*"; exit 1; }`;

/** `%pre` of a package of the group: what scriptlets of distributions do. */
export const groupScriptlet = `${failFunction}
[ "$(id -u)" = 0 ] || fail "scriptlets run as uid $(id -u) and not as root"
[ -c /dev/null ] && echo seen >/dev/null || fail "/dev/null cannot be written by a scriptlet"
[ -r /proc/self/status ] || fail "a scriptlet sees no /proc"
[ -d /sys/kernel ] || fail "a scriptlet sees no /sys"
if command -v useradd >/dev/null && command -v groupadd >/dev/null; then
  groupadd -r -g ${trialId} ${trialName} || fail "groupadd failed with status $?"
  useradd -r -u ${trialId} -g ${trialName} -d / -M -s /bin/sh ${trialName} || fail "useradd failed with status $?"
else
  echo "${trialName}:x:${trialId}:" >>/etc/group || fail "/etc/group cannot be written"
  echo "${trialName}:x:${trialId}:${trialId}::/:/bin/sh" >>/etc/passwd || fail "/etc/passwd cannot be written"
fi
mkdir -p /var/lib/${trialName} || fail "a scriptlet cannot make a directory"
: >/var/lib/${trialName}/made || fail "a scriptlet cannot make a file"
chown ${trialId}:${trialId} /var/lib/${trialName}/made || fail "a scriptlet cannot give a file to another user"
chmod 4755 /var/lib/${trialName}/made || fail "a scriptlet cannot change the mode of a file"
ln /var/lib/${trialName}/made /var/lib/${trialName}/linked || fail "a scriptlet cannot make a hard link"
`;

const madeIsKept = `[ "$(stat -c %u:%g:%a:%h /var/lib/${trialName}/made 2>&1)" = ${trialId}:${trialId}:4755:2 ] ||
  fail "owner, mode or links of a file have changed: $(stat -c '%u:%g, mode %a, %h links' /var/lib/${trialName}/made 2>&1)"`;

/** `%pre` of a package that is added to a snapshot: it finds there what was made before. */
export const addedScriptlet = `${failFunction}
${madeIsKept}
`;

/** What the build prints at its beginning and its end. */
export const beginLine = 'trial: begins';
export const endLine = 'trial: is complete';

/** What the build of the trial does, for rpmbuild's `%build`; `packages` are those of the root to be verified. */
export function trialScript(packages: readonly string[]): string {
  return `${failFunction}
echo '${beginLine}'
[ "$(id -u):$(id -g)" = ${buildUser.uid}:${buildUser.gid} ] || fail "it runs as $(id -u):$(id -g) and not as the build user"
[ "$HOME" = ${buildUser.home} ] || fail "its home is $HOME"
networks=$(sed -n 's/^ *\\([^:]*\\):.*/\\1/p' /proc/net/dev | tr '\\n' ' ')
[ "$networks" = 'lo ' ] || fail "it has a network: $networks"
! touch /usr/${trialName} 2>/dev/null || fail "it may write into /usr"
echo seen >/dev/null || fail "/dev/null cannot be written"
[ "$(head -c 8 /dev/urandom | wc -c)" -eq 8 ] || fail "/dev/urandom cannot be read"
for place in "$HOME" /tmp /var/tmp /dev/shm; do
  printf '#!/bin/sh\\nexit 0\\n' >"$place/${trialName}" || fail "$place cannot be written"
  chmod 755 "$place/${trialName}" && "$place/${trialName}" || fail "no program can be run in $place"
  rm "$place/${trialName}"
done
[ -e /usr/share/${trialName}/extra ] || fail "the package that the build requires is not there"
${madeIsKept}
differences=$(rpm -V ${packages.join(' ')} 2>&1) || fail "files of the root are not as their packages say: $differences"
echo '${endLine}'
`;
}

/**
 * Starts processes until it gets no more. It does not wait until the shell gives up, which takes it 15 s: another process
 * ends all of them once the shell has said that it was refused one, and the daemon has had the time to see that. That one
 * needs no other. Where nothing is refused the sleeping ones are counted.
 */
const manyProcesses = `exec {never}<> <(:)
refused=~/refused
: >"$refused"
(
  for ((waited = 0; waited < 300; waited++)); do
    read -r said <"$refused" && break
    set -- /proc/[0-9]*
    [ $# -lt 80 ] || break
    read -rt 0.2 -u "$never"
  done
  read -rt 4 -u "$never"
  kill -KILL -1
) &
for n in {1..80}; do sleep 300 & done 2>"$refused"
wait
exit 1
`;

/** Builds that take more than they may, by the limit; with the limits that they get. */
export const limitTrials = [
  {
    limit: 'memory',
    what: 'memory',
    limits: { memoryBytes: 192 * 2 ** 20 },
    script: 'head -c 600000000 /dev/zero | tail >/dev/null || exit 1\n',
  },
  {
    limit: 'pids',
    what: 'processes',
    limits: { pids: 48 },
    script: manyProcesses,
  },
  {
    limit: 'disk',
    what: 'disk',
    limits: { diskBytes: 24 * 2 ** 20 },
    script: 'head -c 80000000 /dev/zero >~/large\nsleep 60\nexit 1\n',
  },
] as const;

/** The spec of the trial's package; rpm's own extras are left out, they need more than the root has. */
export function trialSpecFile(requires: readonly string[]): string {
  return `%global debug_package %{nil}
%global __os_install_post %{nil}
%global __arch_install_post %{nil}
%global __check_files %{nil}
Name: ${trialName}
Version: 1
Release: 1
Summary: What koji-adjutant doctor builds
License: Apache-2.0
Source0: trial.sh
${requires.map((name) => `BuildRequires: ${name}\n`).join('')}AutoReqProv: no
%description
It is built to see whether this host can build.
%build
bash %{SOURCE0}
%install
mkdir -p %{buildroot}/usr/share/${trialName}
echo built >%{buildroot}/usr/share/${trialName}/built
%files
/usr/share/${trialName}/built
`;
}

/**
 * Stands in for rpmbuild where the image has none: runs the same script as its `%build` would, and "makes" the packages
 * that came with the sources.
 */
export const standIn = `#!/bin/bash
for word; do
  case $word in
    --help) echo --noclean; exit 0 ;;
    -bs) exec cp /adjutant/in/source.src.rpm ~/build/SRPMS/${trialName}-1-1.src.rpm ;;
  esac
done
cd ~/build/BUILD && bash ~/build/SOURCES/trial.sh && cp ~/build/SOURCES/*.rpm ~/build/RPMS/
`;
