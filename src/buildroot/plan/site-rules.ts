import { access, realpath, stat } from 'node:fs/promises';
import { whyNotShown } from '../../config/checks/forbidden-mounts.ts';
import { type BuildNames, describeOpened, matchingRules, type SiteFile } from '../../config/site-file.ts';
import type { Mount, ResourceLimits } from '../../container/spec.ts';
import { BuildrootUnsupported, HostLacks } from '../errors.ts';

/** What the operator's site file opens for one build. */
export interface SiteGrants {
  readonly devices: readonly string[];
  readonly mounts: readonly (Mount & { readonly kind: 'host' | 'scratch' })[];
  readonly limits: Pick<ResourceLimits, 'ulimits' | 'shmBytes'>;
  readonly seccompProfile: string | null;
  readonly userNamespaces: boolean;
  /** All of it in words, with the reason and the rule's place: for the logs of the task. */
  readonly lines: readonly string[];
}

/**
 * What all rules that hold for a build open together. Where two are about the same target, limit or profile, the last one
 * counts. Null stands for a tag, channel or package that is not known.
 */
export function planGrants(site: SiteFile | null, build: BuildNames): SiteGrants {
  const mounts = new Map<string, SiteGrants['mounts'][number]>();
  const devices = new Set<string>();
  let limits: SiteGrants['limits'] = {};
  let seccompProfile: string | null = null;
  let userNamespaces = false;
  const lines: string[] = [];
  for (const { rule, index } of site === null ? [] : matchingRules(site, build)) {
    for (const device of rule.devices) devices.add(device);
    for (const mount of rule.mounts) mounts.set(mount.target, { kind: 'host', ...mount });
    for (const { target, sizeBytes } of rule.tmpfs)
      mounts.set(target, { kind: 'scratch', target, sizeBytes });
    limits = {
      ...limits,
      ...(rule.shmBytes !== null && { shmBytes: rule.shmBytes }),
      ...(Object.keys(rule.ulimits).length > 0 && { ulimits: { ...limits.ulimits, ...rule.ulimits } }),
    };
    seccompProfile = rule.seccomp ?? seccompProfile;
    userNamespaces ||= rule.userNamespaces;
    const why = `${rule.reason}; rules[${index}] of ${site?.path}`;
    lines.push(...describeOpened(rule).map((what) => `${what} (${why})`));
  }
  return {
    devices: [...devices],
    mounts: [...mounts.values()],
    limits,
    seccompProfile,
    userNamespaces,
    lines,
  };
}

/**
 * Looks whether this host has what is to be opened. Throws `HostLacks` for what is not there today, or what the build
 * user could not open, and `BuildrootUnsupported` for a link that leads where no build may look.
 */
export async function checkGrants(grants: SiteGrants, site: SiteFile | null): Promise<void> {
  const path = site?.path ?? '';
  for (const device of grants.devices) {
    const stats = await stat(device).catch(() => null);
    if (stats === null || !(stats.isCharacterDevice() || stats.isBlockDevice()))
      throw new HostLacks(`this host has no device ${device}, which ${path} grants to this build`);
    // The build user is in no group of the host.
    if ((stats.mode & 0o006) !== 0o006)
      throw new HostLacks(
        `only some users of this host may open ${device}, which ${path} grants to this build: a udev rule with MODE="0666" lets builds`,
      );
  }
  for (const mount of grants.mounts) {
    if (mount.kind !== 'host') continue;
    const real = await realpath(mount.source).catch(() => null);
    if (real === null)
      throw new HostLacks(`this host has no ${mount.source}, which ${path} grants to this build`);
    const why = whyNotShown(real, site?.closed ?? []);
    if (why !== null)
      throw new BuildrootUnsupported(`${mount.source} in ${path} leads to ${real}, which ${why}`);
  }
  const { seccompProfile: profile } = grants;
  if (
    profile !== null &&
    !(await access(profile).then(
      () => true,
      () => false,
    ))
  )
    throw new HostLacks(`this host has no seccomp profile ${profile}, which ${path} wants for this build`);
}
