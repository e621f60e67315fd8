import { z } from 'zod';
import { ARCH_PLACEHOLDER, leastLimits } from '../config/options/adjutant.ts';
import { describeIssue, showJson, strict } from '../core/strict-json.ts';
import { PolicyError } from './errors.ts';

/** The tag extra that holds a policy. */
export const imagePolicyKey = 'adjutant_image_policy';

const sizeUnits: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};
const leastMemory = leastLimits.memoryBytes;
const aSize = `must be a number of bytes, or a text like "512m" or "4g", and at least ${leastMemory / 2 ** 20}m`;
const MemoryBytes = z
  .union([z.number(), z.string().regex(/^\d+[bkmgt]$/i, aSize)], aSize)
  .transform((size) =>
    typeof size === 'number'
      ? size
      : Number(size.slice(0, -1)) * (sizeUnits[size.slice(-1).toLowerCase()] ?? 1),
  )
  .refine((bytes) => Number.isSafeInteger(bytes) && bytes >= leastMemory, aSize);

const aCount = `must be a whole number, at least ${leastLimits.pids}`;
const aShare = `must be a number, at least ${leastLimits.cpus}`;
const aName = 'must be a text that is not empty';
const Name = z.string(aName).min(1, aName);

/** A reference as container engines take it, never something that could pass for an option. */
const imagePattern = new RegExp(
  `^(?:[A-Za-z0-9]|${ARCH_PLACEHOLDER})(?:[A-Za-z0-9._:/@-]|${ARCH_PLACEHOLDER})*$`,
);
const anImage = `must be the name of an image, as podman pull takes it; ${ARCH_PLACEHOLDER} may stand for the arch`;

const Image = z.string(anImage).regex(imagePattern, anImage);

const settings = {
  image: Image,
  pull_policy: z
    .enum(['if-not-present', 'always', 'never'], 'must be "if-not-present", "always" or "never"')
    .optional(),
  buildroot: z.enum(['tag', 'image'], 'must be "tag" or "image"').optional(),
  network: z.boolean('must be true or false').optional(),
  limits: strict({
    memory: MemoryBytes.optional(),
    pids: z.int(aCount).min(leastLimits.pids, aCount).optional(),
    cpus: z.number(aShare).min(leastLimits.cpus, aShare).optional(),
  }).optional(),
};

const Rule = z.discriminatedUnion(
  'type',
  [
    strict({ type: z.literal('tag_arch'), tag: Name, arch: Name, ...settings }),
    strict({ type: z.literal('tag'), tag: Name, ...settings }),
    strict({ type: z.literal('task_type'), task_type: Name, ...settings }),
    strict({ type: z.literal('default'), ...settings }),
  ],
  {
    error: (issue) =>
      issue.code === 'invalid_union'
        ? 'must be "tag_arch", "tag", "task_type" or "default"'
        : 'must be an object with "type" and "image"',
  },
);

const ImagePolicy = strict({
  version: z.literal('1.0', 'must be "1.0"'),
  rules: z.array(Rule, 'must be a list of rules'),
});

/** One rule of a policy; `limits.memory` is in bytes. */
export type PolicyRule = z.infer<typeof Rule>;
/** A policy as the tag's owner wrote it, checked. */
export type ImagePolicy = z.infer<typeof ImagePolicy>;

/**
 * The policy in the value of a tag's extra, decoded or still a JSON text. Throws PolicyError with every problem:
 * a rule that is not understood is never skipped.
 */
export function parseImagePolicy(tagName: string, value: unknown): ImagePolicy {
  const decoded = typeof value === 'string' ? decodeJson(tagName, value) : value;
  const parsed = ImagePolicy.safeParse(decoded, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new PolicyError(
    tagName,
    parsed.error.issues.map((issue) => describeIssue(imagePolicyKey, issue)).join('; '),
  );
}

/** The name of an image in another of the tag's extras, `key`. Throws PolicyError. */
export function parseImageName(tagName: string, key: string, value: unknown): string {
  const parsed = Image.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PolicyError(tagName, `${key} ${anImage}, not ${showJson(value)}`);
}

function decodeJson(tagName: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PolicyError(tagName, `${imagePolicyKey} is not JSON: ${why}`, { cause: error });
  }
}
