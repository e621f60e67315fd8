/** What is done with packages for a root, by which step. */
const verbs = { solve: 'choose', fetch: 'fetch', install: 'install', list: 'check' } as const;

/** A step that deals with the packages of a root. */
export type PackageStep = keyof typeof verbs;

/** The title of such a step, as people read it in logs and messages: `choose packages for @build`. `what`: what the root is to hold. */
export function packageStepTitle(step: PackageStep, what: string): string {
  return `${verbs[step]} packages for ${what}`;
}

/** The step that a title of `packageStepTitle` is of, whatever follows it; null for any other. */
export function packageStepOf(title: string): PackageStep | null {
  const found = Object.entries(verbs).find(([, verb]) => title.startsWith(`${verb} packages for `));
  // The keys are those of the table.
  return (found?.[0] as PackageStep | undefined) ?? null;
}
