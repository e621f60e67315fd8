import { canonArch } from '../rpm/arch.ts';
import type { ImagePolicy, PolicyRule } from './schema.ts';

/** What a rule is chosen by. */
export interface PolicyRequest {
  /** Task method (`buildArch`). */
  readonly method: string;
  /** Name of the build tag. */
  readonly tagName: string;
  readonly arch: string;
}

/** A rule and its place in the list of rules. */
export interface ChosenRule {
  readonly rule: PolicyRule;
  readonly index: number;
}

/** Kinds of rule, the strongest first. */
const ranks: readonly PolicyRule['type'][] = ['tag_arch', 'tag', 'task_type', 'default'];

/**
 * The rule that decides: the kind ranks (tag_arch, tag, task_type, default), not the place in the list; of two
 * equals the first counts. Null when none matches. Arches are compared in Koji's canonical form.
 */
export function evaluatePolicy(policy: ImagePolicy, question: PolicyRequest): ChosenRule | null {
  for (const rank of ranks) {
    const index = policy.rules.findIndex((rule) => rule.type === rank && matches(rule, question));
    const rule = policy.rules[index];
    if (rule !== undefined) return { rule, index };
  }
  return null;
}

function matches(rule: PolicyRule, question: PolicyRequest): boolean {
  switch (rule.type) {
    case 'tag_arch':
      return rule.tag === question.tagName && canonArch(rule.arch) === canonArch(question.arch);
    case 'tag':
      return rule.tag === question.tagName;
    case 'task_type':
      return rule.task_type === question.method;
    case 'default':
      return true;
  }
}
