import { personalityPrefix, quote, script } from '../../core/bash.ts';
import { lackingPrograms, otherRequirements, sourceNotInstallable } from '../steps/exit-codes.ts';
import { passStatusOn } from '../steps/step-failure.ts';

/**
 * The scripts that are the main processes of a buildroot's containers. Each runs once; what it needs
 * is mounted below `/adjutant`: `in` (read-only: script, configuration, source package), `cache` (read-only: packages), and
 * for the one that executes nothing of a package `solve`. All of a script's output is one log.
 */

/** What a script finds in the build user's home: nothing, or what the script before it has left. */
export type HomeState = 'empty' | 'unpacked' | 'prepared';

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

/** What a rebuildSRPM task runs: `rpmbuild -bs`, without its own target. */
export function rebuildSourceScript(source: string): string {
  return script([...findPrograms, ...unpack(source), ...unpackedSpec, ...rpmbuild('-bs --nodeps', null)]);
}

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

/** The command that repeats in a shell of the build user what a script has done. */
export function repeatCommand(options: string, personality: string | null): string {
  return `${personalityPrefix(personality)}rpmbuild ${options} --nodeps ~/build/SPECS/*.spec`;
}
