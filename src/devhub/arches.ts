const families: readonly (readonly [RegExp, string])[] = [
  [/^(i.86|athlon)$/, 'i386'],
  [/^ia32e$/, 'x86_64'],
  [/^ppc64le$/, 'ppc64le'],
  [/^ppc64/, 'ppc64'],
  [/^sparc64/, 'sparc64'],
  [/^sparc/, 'sparc'],
  [/^alpha/, 'alpha'],
  [/^arm.*h/, 'armhfp'],
  [/^arm/, 'arm'],
];

/** The arch under which a repository keeps packages of this arch (`koji.canonArch`). */
export function canonicalArch(arch: string): string {
  return families.find(([pattern]) => pattern.test(arch))?.[1] ?? arch;
}
