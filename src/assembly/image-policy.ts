import type { Config } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import type { TagsApi } from '../hub/api/tags.ts';
import { PolicyResolver } from '../policy/resolver.ts';

/** Chooses images as the configuration and the tags say; `image`: this one, whatever they say. */
export function imagePolicy(
  { kojid, adjutant }: Config,
  tags: Pick<TagsApi, 'buildConfig'>,
  clock: Clock,
  image?: string,
): PolicyResolver {
  return new PolicyResolver(
    {
      enabled: adjutant.policy_enabled && image === undefined,
      defaultImage: image ?? adjutant.task_image_default,
      defaultPull: adjutant.image_pull_policy,
      cacheTtlMs: adjutant.policy_cache_ttl * 1000,
      mockBootstrapImage: kojid.mock_bootstrap_image,
    },
    async (tagId, event, signal) => (await tags.buildConfig(tagId, { event: event ?? null, signal })).extra,
    clock,
  );
}
