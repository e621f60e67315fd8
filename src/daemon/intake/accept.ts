import { type AcceptRules, formatAcceptRules, isAmong } from '../../config/options/accept-rules.ts';

/** What a task works for. */
export interface TaskPurpose {
  /** The build tag; null when the task has none, or one the hub does not know. */
  readonly buildTag: string | null;
  /** Whether it belongs to a scratch build. */
  readonly scratch: boolean;
}

/** What has to be asked before the rules can be applied. */
export interface PurposeNeeds {
  readonly buildTag: boolean;
  readonly scratch: boolean;
}

/** What the rules want to know of a task besides its method. */
export function neededPurpose(rules: AcceptRules): PurposeNeeds {
  return { buildTag: rules.tags !== null, scratch: rules.scratch !== null };
}

/** Why a task of this method is refused whatever it works for, or null. */
export function whyMethodRefused(rules: AcceptRules, method: string): string | null {
  const { methods } = rules;
  return methods === null || isAmong(method, methods) ? null : because(rules, `it is a ${method} task`);
}

/** Why a task that works for this is refused, or null. Only what `neededPurpose` names is looked at. */
export function whyPurposeRefused(rules: AcceptRules, { buildTag, scratch }: TaskPurpose): string | null {
  const { tags } = rules;
  if (tags !== null && buildTag === null) return because(rules, 'it has no build tag');
  if (tags !== null && buildTag !== null && !isAmong(buildTag, tags))
    return because(rules, `its build tag is ${buildTag}`);
  if (rules.scratch === 'only' && !scratch) return because(rules, 'it belongs to no scratch build');
  if (rules.scratch === 'no' && scratch) return because(rules, 'it belongs to a scratch build');
  return null;
}

function because(rules: AcceptRules, what: string): string {
  return `${what}; this host is limited to ${formatAcceptRules(rules)} (accept in adjutant.conf)`;
}
