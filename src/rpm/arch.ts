/** What Koji and mock know about architectures. */

/** Patterns of arches and the one Koji keeps for all of them; the first match counts. */
const canonicalArches: readonly (readonly [RegExp, string])[] = [
  [/^(i.86|athlon)$/s, 'i386'],
  [/^ia32e$/, 'x86_64'],
  [/^ppc64le$/, 'ppc64le'],
  [/^ppc64/, 'ppc64'],
  [/^sparc64/, 'sparc64'],
  [/^sparc/, 'sparc'],
  [/^alpha/, 'alpha'],
  [/^arm.*h/s, 'armhfp'],
  [/^arm/, 'arm'],
];

/** The arch that repos, buildroots and tasks go by (`koji.canonArch`): i686 → i386, armv7hl → armhfp; others stay. */
export function canonArch(arch: string): string {
  return canonicalArches.find(([pattern]) => pattern.test(arch))?.[1] ?? arch;
}

/** Arches of a list as Koji stores it, separated by blanks; nothing for null. */
export function splitArches(arches: string | null): readonly string[] {
  return (arches ?? '').split(/\s+/).filter((arch) => arch !== '');
}

/** rpm's `--target` for a task's arch: `armhfp` is Koji's own word (`builder/kojid BuildRoot._new`). */
export function targetArch(arch: string): string {
  return arch === 'armhfp' ? 'armv7hl' : arch;
}

const machines: Readonly<Record<string, string>> = {
  i386: 'x86_64',
  amd64: 'x86_64',
  armhfp: 'aarch64',
  ppc: 'ppc64',
  s390: 's390x',
};

/** Levels of a machine's instruction set, which rpm 4.19 and later take for arches: `x86_64_v2`. */
const level = /^(x86_64)_v[1-9]$/;

/**
 * The arch of the machines on which roots of a canonical arch are made: 32-bit ones have no images of their own, and those of a
 * level are made where the processor has it. Arches that are not known here are machines of their own, as koji takes any text.
 */
export function machineArch(arch: string): string {
  return machines[arch] ?? level.exec(arch)?.[1] ?? arch;
}

/** The arch of the machine this runs on, as Koji calls it. */
export function hostArch(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

/** Kernel personality for a build, the word `setarch` takes; 32-bit builds must see a 32-bit machine. */
export type Personality = 'linux64' | 'linux32';

const arches32 =
  /^(i[3-6]86|athlon|geode|armv[5-8].*|armhfp|ppc|sparc|sparcv9|s390|mips(el|r6|r6el)?|riscv32)$/;
const arches64 = /^(x86_64|ppc64|sparc64|ia64|alpha|s390x|mips64(el|r6|r6el)?|riscv64)$/;

/**
 * The personality mock sets for a target arch (`mockbuild/util.py condPersonality`); null: it leaves the host's,
 * as for aarch64, ppc64le and noarch.
 */
export function personalityOf(arch: string): Personality | null {
  if (arches32.test(arch)) return 'linux32';
  return arches64.test(arch) ? 'linux64' : null;
}
