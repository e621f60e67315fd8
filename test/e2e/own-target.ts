import { ensureTag, ensureTarget } from '../../src/devhub/hub.ts';
import type { TagRow } from '../../src/devhub/rows.ts';
import type { TestBuilder } from './builder.ts';
import type { DevTestHub } from './dev-hub.ts';
import { arch } from './surroundings.ts';

/**
 * A target with a build tag `<name>-build` of its own, which has a repository with all packages and small groups; its extra
 * counts from then on.
 */
export async function ownTarget(
  hub: DevTestHub,
  builder: TestBuilder,
  name: string,
  extra: TagRow['extra'] = {},
): Promise<string> {
  const groups = [
    { name: 'build', packages: ['bash'] },
    { name: 'srpm-build', packages: ['bash'] },
  ];
  const wanted = { parents: [], groups: [], extra: {} };
  const buildTag = { ...wanted, groups, name: `${name}-build`, arches: arch };
  await hub.running.change((devHub) => {
    const destination = ensureTag(devHub, { ...wanted, name, arches: null });
    ensureTarget(devHub, name, ensureTag(devHub, buildTag), destination);
  });
  await builder.ensureRepo(buildTag.name);
  await hub.running.change((devHub) => ensureTag(devHub, { ...buildTag, extra }));
  return name;
}
