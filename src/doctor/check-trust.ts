import type { HostTrust } from '../core/host-trust.ts';
import { type Finding, ok, warn } from './finding.ts';

/** What the trust store of this host is good for: the hub without `serverca`, topurl, repos, and containers that read repos. */
export function judgeTrust({ certificates, sources, problems }: HostTrust): readonly Finding[] {
  const from = sources.length === 0 ? '' : ` of ${sources.join(', ')}`;
  const found =
    certificates.length === 0
      ? warn(
          'trust store',
          'this host trusts no authority; those that Node.js and the image bring along count',
          null,
        )
      : ok('trust store', `${certificates.length} authorities${from}`);
  const remedy =
    'make it again (update-ca-certificates, update-ca-trust): other programs may refuse all of the file';
  return [found, ...problems.map((problem) => warn('trust store', problem, remedy))];
}
