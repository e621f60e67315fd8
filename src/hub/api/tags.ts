import { z } from 'zod';
import type { HubSession } from '../session/session.ts';
import type { RpcValue } from '../xmlrpc/codec.ts';
import {
  BuildTarget,
  ExternalRepo,
  HubEvent,
  Ignored,
  InheritanceLink,
  PackageConfig,
  TagInfo,
  UserInfo,
} from './schema.ts';

/** A look back to a former state of the hub's tags; null and left out: now. */
export interface AtEvent {
  readonly event?: number | null;
  readonly signal?: AbortSignal | undefined;
}

/** What the hub knows of tags, targets, packages and users; everything here only reads. */
export class TagsApi {
  readonly #session: HubSession;

  constructor(session: HubSession) {
    this.#session = session;
  }

  /** `getTag`; null when there is no such tag, or HubFault 1000 with `strict`. */
  async tag(
    tag: number | string,
    { strict, event, signal }: AtEvent & { readonly strict?: boolean } = {},
  ): Promise<TagInfo | null> {
    return this.#session.call('getTag', [tag], TagInfo.nullable(), {
      signal,
      keywords: { ...(strict === true && { strict }), ...at(event) },
    });
  }

  /** `getBuildTarget`; null when there is no such target. */
  async buildTarget(target: number | string, { event, signal }: AtEvent = {}): Promise<BuildTarget | null> {
    return this.#session.call('getBuildTarget', [target], BuildTarget.nullable(), {
      signal,
      keywords: at(event),
    });
  }

  /** `getBuildTargets`: whether a target builds in this tag. */
  async isBuildTag(tagId: number, signal?: AbortSignal): Promise<boolean> {
    const keywords = { buildTagID: tagId };
    return (
      (await this.#session.call('getBuildTargets', [], z.array(z.unknown()), { signal, keywords })).length > 0
    );
  }

  /** `getBuildConfig`: the tag with what it inherits. HubFault 1000 when there is no such tag. */
  async buildConfig(tag: number | string, { event, signal }: AtEvent = {}): Promise<TagInfo> {
    return this.#session.call('getBuildConfig', [tag], TagInfo, { signal, keywords: at(event) });
  }

  /** `getPackageConfig`; null when the package is not in the tag's list. */
  async packageConfig(
    tag: number | string,
    packageName: string,
    { event, signal }: AtEvent = {},
  ): Promise<PackageConfig | null> {
    return this.#session.call('getPackageConfig', [tag, packageName], PackageConfig.nullable(), {
      signal,
      keywords: at(event),
    });
  }

  /** `getExternalRepoList`: the external repos of the tag and its parents, nearest and most wanted first. */
  async externalRepos(
    tag: number | string,
    { event, signal }: AtEvent = {},
  ): Promise<readonly ExternalRepo[]> {
    return this.#session.call('getExternalRepoList', [tag], z.array(ExternalRepo), {
      signal,
      keywords: at(event),
    });
  }

  /** `getFullInheritance`: all ancestors of the tag. */
  async fullInheritance(
    tag: number | string,
    { event, signal }: AtEvent = {},
  ): Promise<readonly InheritanceLink[]> {
    return this.#session.call('getFullInheritance', [tag], z.array(InheritanceLink), {
      signal,
      keywords: at(event),
    });
  }

  /** `getLastEvent`. */
  async lastEvent(signal?: AbortSignal): Promise<HubEvent> {
    return this.#session.call('getLastEvent', [], HubEvent, { signal });
  }

  /** `host.assertPolicy`: HubFault 1004 when the hub's policy of that name denies. */
  async assertPolicy(
    name: string,
    data: Readonly<Record<string, RpcValue>>,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#session.call('host.assertPolicy', [name, data], Ignored, { signal });
  }

  /** `getAverageBuildDuration` in seconds, over the last `ageMonths`; null when there was no such build. */
  async averageBuildDuration(
    packageName: string,
    ageMonths: number,
    signal?: AbortSignal,
  ): Promise<number | null> {
    return this.#session.call('getAverageBuildDuration', [packageName], z.number().nullable(), {
      signal,
      keywords: { age: ageMonths },
    });
  }

  /** `getUser`; null when there is no such user. */
  async user(user: number | string, signal?: AbortSignal): Promise<UserInfo | null> {
    return this.#session.call('getUser', [user], UserInfo.nullable(), { signal });
  }
}

function at(event: number | null | undefined): { readonly event?: number } {
  return event === null || event === undefined ? {} : { event };
}
