import { ARCH_PLACEHOLDER } from '../config/options/adjutant.ts';
import type { PullPolicy, ResourceLimits } from '../container/spec.ts';
import type { Clock } from '../core/clock.ts';
import { isPythonTrue } from '../core/python-truth.ts';
import { machineArch } from '../rpm/arch.ts';
import { PolicyError } from './errors.ts';
import { type ChosenRule, evaluatePolicy } from './evaluate.ts';
import { imagePolicyKey, type PolicyRule, parseImageName, parseImagePolicy } from './schema.ts';
import { type FetchTagExtra, type TagExtra, TagExtraCache } from './tag-extra-cache.ts';

/** For what an image is wanted. */
export interface ImageRequest {
  /** Task method (`buildArch`). */
  readonly method: string;
  /** The build tag. */
  readonly tag: { readonly name: string; readonly id: number };
  /** The buildroot's arch. */
  readonly arch: string;
  /** `extra` of a `getBuildConfig` the task has made already; saves the call. */
  readonly buildConfigExtra?: TagExtra;
  /** The event the tag is looked at; left out: now. */
  readonly event?: number;
}

/** Limits a policy sets instead of the configured ones; what is left out stays as configured. */
export type PolicyLimits = Partial<Pick<ResourceLimits, 'memoryBytes' | 'pids' | 'cpus'>>;

/** The image to use, and what else the policy asks for. */
export interface ImageChoice {
  /** Reference with the arch filled in. */
  readonly image: string;
  readonly pull: PullPolicy;
  /** Who decided, for the log. */
  readonly because: string;
  /** Whether the build wants network; left out: as the task type has it. */
  readonly network?: boolean;
  readonly limits?: PolicyLimits;
}

export interface PolicyResolverOptions {
  /** `policy_enabled`; false: the default image whatever the tag says, and no question to the hub. */
  readonly enabled: boolean;
  /** `task_image_default`. */
  readonly defaultImage: string;
  /** `image_pull_policy`. */
  readonly defaultPull: PullPolicy;
  /** `policy_cache_ttl`. */
  readonly cacheTtlMs: number;
  /** kojid's `mock_bootstrap_image`: heed the tag's `mock.bootstrap_image`. */
  readonly mockBootstrapImage: boolean;
}

const mockImageKey = 'mock.bootstrap_image';

/**
 * Chooses images by the tags' policies; one for the whole daemon, safe for concurrent use. In this order: the
 * rules of the tag's policy, its `mock.bootstrap_image` where that is allowed, the configured default.
 */
export class PolicyResolver {
  readonly #options: PolicyResolverOptions;
  readonly #extras: TagExtraCache;

  constructor(options: PolicyResolverOptions, fetchExtra: FetchTagExtra, clock: Clock) {
    this.#options = options;
    this.#extras = new TagExtraCache(fetchExtra, clock, options.cacheTtlMs);
  }

  /** Throws PolicyError when the tag's settings cannot be used, and whatever asking the hub throws. */
  async resolve(question: ImageRequest, signal: AbortSignal): Promise<ImageChoice> {
    signal.throwIfAborted();
    if (!this.#options.enabled) return this.#byDefault(question, 'policies are switched off');
    const extra =
      question.buildConfigExtra ?? (await this.#extras.get(question.tag.id, question.event, signal));
    return (
      this.#byPolicy(question, extra) ??
      this.#byMock(question, extra) ??
      this.#byDefault(question, `tag ${question.tag.name} names no image`)
    );
  }

  #byPolicy(question: ImageRequest, extra: TagExtra): ImageChoice | null {
    if (!Object.hasOwn(extra, imagePolicyKey)) return null;
    const { tag, method, arch } = question;
    const policy = parseImagePolicy(tag.name, extra[imagePolicyKey]);
    const chosen = evaluatePolicy(policy, { method, tagName: tag.name, arch });
    return chosen === null ? null : this.#toChoice(question, chosen);
  }

  #toChoice(question: ImageRequest, { rule, index }: ChosenRule): ImageChoice {
    const place = `${imagePolicyKey}.rules[${index}]`;
    if (rule.buildroot === 'image') {
      throw new PolicyError(
        question.tag.name,
        `${place}.buildroot is "image", which this builder does not support yet; use "tag" or leave it out`,
      );
    }
    return {
      image: withArch(rule.image, question.arch),
      pull: rule.pull_policy ?? this.#options.defaultPull,
      because: `${place} (${rule.type}) of tag ${question.tag.name}`,
      ...(rule.network === undefined ? {} : { network: rule.network }),
      ...(rule.limits === undefined ? {} : { limits: toLimits(rule.limits) }),
    };
  }

  #byMock(question: ImageRequest, extra: TagExtra): ImageChoice | null {
    const image = extra[mockImageKey];
    if (!this.#options.mockBootstrapImage || !isPythonTrue(image)) return null;
    return {
      image: withArch(parseImageName(question.tag.name, mockImageKey, image), question.arch),
      pull: this.#options.defaultPull,
      because: `${mockImageKey} of tag ${question.tag.name}`,
    };
  }

  #byDefault(question: ImageRequest, why: string): ImageChoice {
    return {
      image: withArch(this.#options.defaultImage, question.arch),
      pull: this.#options.defaultPull,
      because: `task_image_default: ${why}`,
    };
  }
}

function withArch(image: string, arch: string): string {
  return image.replaceAll(ARCH_PLACEHOLDER, machineArch(arch));
}

function toLimits(limits: NonNullable<PolicyRule['limits']>): PolicyLimits {
  return {
    ...(limits.memory === undefined ? {} : { memoryBytes: limits.memory }),
    ...(limits.pids === undefined ? {} : { pids: limits.pids }),
    ...(limits.cpus === undefined ? {} : { cpus: limits.cpus }),
  };
}
