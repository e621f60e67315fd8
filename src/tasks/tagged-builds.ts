import { parseNvr } from '../rpm/nvr.ts';
import type { TaskContext } from './adapter.ts';

/** Whether the tag holds all these builds, now or at an event (`koji/util.py checkForBuilds`). */
export async function hasBuilds(
  { hub, signal }: Pick<TaskContext, 'hub' | 'signal'>,
  tagId: number,
  nvrs: readonly string[],
  event: number | null,
): Promise<boolean> {
  for (const nvr of nvrs) {
    const wanted = parseNvr(nvr);
    const tagged = await hub.tagHistory.taggedBuilds(tagId, wanted.name, event, signal);
    if (!tagged.some((build) => build.version === wanted.version && build.release === wanted.release))
      return false;
  }
  return true;
}
