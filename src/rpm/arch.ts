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
  armhfp: 'aarch64',
  ppc: 'ppc64',
  s390: 's390x',
};

/** The arch of the machines on which roots of a canonical arch are made: 32-bit ones have no images of their own. */
export function machineArch(arch: string): string {
  return machines[arch] ?? arch;
}

const runsOnArch: Readonly<Record<string, string>> = {
  athlon: 'i686',
  geode: 'i686',
  i686: 'i586',
  i586: 'i486',
  i486: 'i386',
  x86_64: 'athlon',
  amd64: 'x86_64',
  ia32e: 'x86_64',
  ppc64p7: 'ppc64',
  ppc64pseries: 'ppc64',
  ppc64iseries: 'ppc64',
  ppc64: 'ppc',
  s390x: 's390',
  armv7l: 'armv6l',
  armv6l: 'armv5tejl',
  armv5tejl: 'armv5tel',
  armv7hnl: 'armv7hl',
  armv7hl: 'armv6hl',
  sh4a: 'sh4',
};

/**
 * Arches whose packages install on a machine of `arch`, best first, ending in noarch (`koji.arch.getArchList`;
 * sparc and alpha families are left out: no Koji of today has them, they count as lone arches).
 */
export function compatibleArches(arch: string): readonly string[] {
  const arches = [arch];
  for (let next = runsOnArch[arch]; next !== undefined; next = runsOnArch[next]) arches.push(next);
  return arch === 'noarch' ? arches : [...arches, 'noarch'];
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
