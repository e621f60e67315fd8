import { randomUUID } from 'node:crypto';
import { ensureTag, ensureTarget } from '../../src/devhub/hub.ts';
import type { TagRow } from '../../src/devhub/rows.ts';
import type { TestBuilder } from './builder.ts';
import type { DevTestHub } from './dev-hub.ts';
import { arch } from './surroundings.ts';

/**
 * A target with a build tag `<name>-build` of its own, which has a repository with no packages: those of the test
 * distribution are in that of `td1-build` alone. By a group it is another than all others, also those of earlier test files:
 * nothing that was kept answers for it. Its extra counts from then on.
 */
export async function ownTarget(
  hub: DevTestHub,
  builder: TestBuilder,
  name: string,
  extra: TagRow['extra'] = {},
): Promise<string> {
  const buildTag = await hub.running.change((devHub) => {
    const like = devHub.state.tables.tags.find((row) => row.name === 'td1-build');
    if (like === undefined) throw new Error('there is no tag td1-build');
    const groups = [...like.groups, { name: `of-${name}-${randomUUID()}`, packages: ['bash'] }];
    const wanted = { parents: ['td1'], groups, name: `${name}-build`, arches: arch, extra: {} };
    const destination = ensureTag(devHub, { name, parents: [], groups: [], extra: {}, arches: null });
    ensureTarget(devHub, name, ensureTag(devHub, wanted), destination);
    return wanted;
  });
  await builder.ensureRepo(buildTag.name);
  await hub.running.change((devHub) => ensureTag(devHub, { ...buildTag, extra }));
  return name;
}
