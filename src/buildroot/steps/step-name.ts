import type { SolveKind, StepId } from '../../journal/step-ids.ts';
import { packageStepTitle } from './step-titles.ts';

/** What a step's duration is counted under: label `phase` of the metric `phase_seconds`. */
export type StepPhase = 'solve' | 'install' | 'source' | 'build';

/** A step of a buildroot, by the id that the journal knows it by, and by the title that people read in logs and messages. */
export interface StepName {
  readonly id: StepId;
  readonly phase: StepPhase;
  readonly title: string;
}

/** What a root is to hold, and how people read that. */
interface Goal {
  readonly title: string;
  readonly goal: { readonly kind: SolveKind };
}

/** The package manager finds out which packages a root needs. */
export function solveStep({ title, goal }: Goal): StepName {
  return { id: `solve:${goal.kind}`, phase: 'solve', title: packageStepTitle('solve', title) };
}

/** Packages are put into a root. */
export function installStep({ title, goal }: Goal): StepName {
  return { id: `install:${goal.kind}`, phase: 'install', title: packageStepTitle('install', title) };
}

/** The steps in which package code runs. */
export const codeSteps = {
  /** All that a rebuildSRPM task wants. */
  buildSource: { id: 'build-source', phase: 'source', title: 'rpmbuild -bs' },
  /** Makes the source package again, to learn what it needs. */
  remakeSource: { id: 'remake-source', phase: 'source', title: 'rpmbuild -bs' },
  generateRequires: { id: 'generate-requires', phase: 'source', title: 'rpmbuild -br' },
  buildPackage: { id: 'build-package', phase: 'build', title: 'rpmbuild' },
} as const satisfies Readonly<Record<string, StepName>>;
