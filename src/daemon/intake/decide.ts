import type { AcceptRules } from '../../config/options/accept-rules.ts';
import { describeError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { isHubTrouble } from '../../hub/faults.ts';
import type { TaskAdapter } from '../../tasks/adapter.ts';
import { type PurposeSources, whyNotAccepted } from './acceptance.ts';
import type { Offer } from './offer.ts';

/** Whether this host takes a task: with which adapter, or why not. */
export type Decision =
  | { readonly kind: 'take'; readonly adapter: TaskAdapter }
  /** For good: what is looked at does not change while the task lives. */
  | { readonly kind: 'refuse'; readonly why: string };

export interface DecisionSources extends PurposeSources {
  /** The operator's rules about what this host takes. */
  readonly accept: AcceptRules;
  readonly log: Logger;
}

/**
 * Takes or refuses a task before it is opened: by its method, by the operator's rules, and by what its adapter says of
 * this host (`koji/daemon.py takeTask`). Rejects when the hub cannot be asked, so that the round is tried again.
 */
export async function decide(offer: Offer, sources: DecisionSources, signal: AbortSignal): Promise<Decision> {
  const { adapter } = offer;
  if (adapter === null) return { kind: 'refuse', why: 'no handler for method' };
  const why =
    (await whyUnwanted(offer, sources, signal)) ?? (await whyNotHere(offer, adapter, sources, signal));
  return why === null ? { kind: 'take', adapter } : { kind: 'refuse', why };
}

/** A task of which it cannot be told is not taken: the operator's rules let in what fits, not what might. */
async function whyUnwanted(
  offer: Offer,
  sources: DecisionSources,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    return await whyNotAccepted(offer, sources.accept, sources, signal);
  } catch (error) {
    if (isHubTrouble(error) || signal.aborted) throw error;
    return `cannot determine what the task is for: ${describeError(error)}`;
  }
}

/** Parameters that cannot be read do not keep a task away: it is opened and failed with that. */
async function whyNotHere(
  offer: Offer,
  adapter: TaskAdapter,
  { host, tags, log }: DecisionSources,
  signal: AbortSignal,
): Promise<string | null> {
  if (adapter.checkHost === undefined) return null;
  const { arches } = await host.host(signal);
  const params = await offer.params(signal);
  if (params === null || 'error' in params) return null;
  try {
    return await adapter.checkHost(params.value, { arches }, tags, signal);
  } catch (error) {
    if (isHubTrouble(error) || signal.aborted) throw error;
    // A tag that does not exist is the task's own failure, with its own message.
    log.warn({ taskId: offer.id, err: error }, 'checkHost failed, taking the task anyway');
    return null;
  }
}
