import { posix } from 'node:path';
import { z } from 'zod';
import { describeError } from '../core/errors.ts';
import { describeIssue, strict } from '../core/strict-json.ts';
import { type ForbiddenPath, whyNoTarget, whyNotShown } from './checks/forbidden-mounts.ts';
import type { ConfigFiles } from './format/file-system.ts';
import type { Notes } from './format/read-files.ts';
import { isAmong, type Patterns } from './options/accept-rules.ts';
import { type OperatorMount, size } from './options/parsers.ts';
import { rlimitNames } from './options/rlimits.ts';

/** Soft and hard limit, -1 for unlimited. */
export interface SiteUlimit {
  readonly soft: number;
  readonly hard: number;
}

/** What is opened for builds of some tags or channels; sizes in bytes. */
export interface SiteRule {
  /** Why, in the operator's words. */
  readonly reason: string;
  /** Of names of build tags; null: of all. */
  readonly tags: Patterns | null;
  /** Of names of the task's channel; null: of all. */
  readonly channels: Patterns | null;
  /** Of names of source packages; null: of all. Whoever uploads a package chooses its name. */
  readonly packages: Patterns | null;
  /** Paths below /dev. */
  readonly devices: readonly string[];
  readonly mounts: readonly OperatorMount[];
  readonly tmpfs: readonly { readonly target: string; readonly sizeBytes: number }[];
  /** By `ulimit` name in lower case (`nofile`). */
  readonly ulimits: Readonly<Record<string, SiteUlimit>>;
  readonly shmBytes: number | null;
  /** Path of a profile in place of the engine's. */
  readonly seccomp: string | null;
  /** Whether builds may make user namespaces. */
  readonly userNamespaces: boolean;
}

/** The site file, checked; without one there are no rules. */
export interface SiteFile {
  readonly path: string;
  readonly rules: readonly SiteRule[];
  /** What no rule may show; links are followed only when a build begins. */
  readonly closed: readonly ForbiddenPath[];
}

const isPlain = (path: string) =>
  path.startsWith('/') && posix.normalize(path) === path && (path === '/' || !path.endsWith('/'));
const anAbsolutePath = 'must be an absolute path without "..", "//" or a slash at its end';
const AbsolutePath = z.string(anAbsolutePath).refine(isPlain, anAbsolutePath);
const Target = AbsolutePath.superRefine((target, context) => {
  const why = isPlain(target) ? whyNoTarget(target) : null;
  if (why !== null) context.addIssue({ code: 'custom', message: why, input: target });
});

const aDevice = 'must be a device below /dev, as "/dev/kvm"';
const Device = z
  .string(aDevice)
  .refine((path) => isPlain(path) && /^\/dev\/(?!shm\b|pts\b|mqueue\b)/.test(path), aDevice);

const aSize = 'must be a size as "4G" or "512M"';
const Size = z
  .string(aSize)
  .refine((text) => toBytes(text) !== null, aSize)
  .transform((text) => toBytes(text) ?? 0);

const Names = z
  .array(z.string('must be a shell pattern').regex(/^!?[^!]/, 'must be a shell pattern'), 'must be a list')
  .min(1, 'must not be empty: leave the key out for all');

const aLimit = 'must be a whole number, -1 for unlimited, or {"soft": ..., "hard": ...}';
const Limit = z.int(aLimit).min(-1, aLimit);
const Ulimit = z
  .union(
    [Limit.transform((both) => ({ soft: both, hard: both })), strict({ soft: Limit, hard: Limit })],
    aLimit,
  )
  .refine(({ soft, hard }) => reach(soft) <= reach(hard), 'must not have a soft limit above the hard one');
const Ulimits = z.record(z.string(), Ulimit, 'must be an object').superRefine((limits, context) => {
  for (const name of Object.keys(limits).filter((one) => !rlimitNames.includes(one)))
    context.addIssue({
      code: 'custom',
      path: [name],
      message: `is not a limit; there are ${rlimitNames.join(', ')}`,
    });
});

const aReason =
  'must say in a few words, on one line, what this is granted for; it stands in the logs of each task';
const Rule = strict({
  reason: z.string(aReason).regex(/^[^\p{Cc}]*\S[^\p{Cc}]*$/u, aReason),
  tags: Names.optional(),
  channels: Names.optional(),
  packages: Names.optional(),
  devices: z.array(Device, 'must be a list').optional(),
  mounts: z
    .array(
      strict({
        source: AbsolutePath,
        target: Target,
        read_only: z.boolean('must be true or false').optional(),
        relabel: z.enum(['z', 'Z'], 'must be "z" or "Z"').optional(),
      }),
      'must be a list',
    )
    .optional(),
  tmpfs: z.array(strict({ target: Target, size: Size }), 'must be a list').optional(),
  ulimits: Ulimits.optional(),
  shm_size: Size.optional(),
  seccomp: AbsolutePath.optional(),
  user_namespaces: z.literal(true, 'must be true: without the key there are none').optional(),
}).superRefine((rule, context) => {
  const { reason: _reason, tags: _tags, channels: _channels, packages: _packages, ...opened } = rule;
  if (Object.keys(opened).length === 0)
    context.addIssue({
      code: 'custom',
      message: 'opens nothing; remove it, or add what it is for',
    });
  const targets = [...(rule.mounts ?? []), ...(rule.tmpfs ?? [])].map(({ target }) => target);
  for (const target of new Set(targets.filter((one, at) => targets.indexOf(one) !== at)))
    context.addIssue({ code: 'custom', message: 'has two mounts with this target; keep one', input: target });
});

const Content = strict({
  version: z.literal('1.0', 'must be "1.0"'),
  rules: z.array(Rule, 'must be a list of rules'),
});

/**
 * Reads the site file at `path`. Every problem is added to `notes` with its place; devices and mounts that are not there
 * today are warnings, since only the builds that want them have to wait for them.
 */
export function readSiteFile(
  path: string,
  closed: readonly ForbiddenPath[],
  files: ConfigFiles,
  notes: Notes,
): SiteFile {
  const none = { path, rules: [], closed };
  const at = (message: string) => ({ file: path, line: null, key: null, message });
  const content = decode(path, files);
  if ('problem' in content) {
    notes.problems.push(at(content.problem));
    return none;
  }
  const parsed = Content.safeParse(content.value, { reportInput: true });
  if (!parsed.success) {
    notes.problems.push(...parsed.error.issues.map((issue) => at(describeIssue('', issue))));
    return none;
  }
  const rules = parsed.data.rules.map(toRule);
  for (const [index, rule] of rules.entries()) {
    const place = `rules[${index}]`;
    for (const [number, { source }] of rule.mounts.entries()) {
      const why = whyNotShown(source, closed);
      if (why !== null) notes.problems.push(at(`${place}.mounts[${number}].source ${source} ${why}`));
    }
    if (rule.seccomp !== null) {
      const why = whyNoProfile(rule.seccomp, files);
      if (why !== null) notes.problems.push(at(`${place}.seccomp ${rule.seccomp} ${why}`));
    }
    for (const wanted of [...rule.devices, ...rule.mounts.map(({ source }) => source)])
      if (files.kind(wanted) === 'missing')
        notes.warnings.push(
          at(`${place}: there is no ${wanted} on this host; its builds are refused until there is`),
        );
  }
  return { path, rules, closed };
}

/** What rules are chosen by; null, or left out, for a name that is not known: then only rules without such patterns fit. */
export interface BuildNames {
  readonly tag: string | null;
  readonly channel: string | null;
  /** Of the source package. */
  readonly package?: string | null;
}

/** The rules that hold for a build, with their places in the file. Null: not known, and a rule that asks does not hold. */
export function matchingRules(
  { rules }: Pick<SiteFile, 'rules'>,
  build: BuildNames,
): readonly { readonly rule: SiteRule; readonly index: number }[] {
  const holds = (name: string | null, patterns: Patterns | null) =>
    patterns === null || (name !== null && isAmong(name, patterns));
  return rules
    .map((rule, index) => ({ rule, index }))
    .filter(
      ({ rule }) =>
        holds(build.tag, rule.tags) &&
        holds(build.channel, rule.channels) &&
        holds(build.package ?? null, rule.packages),
    );
}

/** What a rule opens, each in a few words: `device /dev/kvm`. */
export function describeOpened(rule: SiteRule): readonly string[] {
  const mib = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  const limit = (value: number) => (value === -1 ? 'unlimited' : `${value}`);
  return [
    ...rule.devices.map((path) => `device ${path}`),
    ...rule.mounts.map(
      ({ source, target, readOnly }) => `${source} on ${target}, ${readOnly ? 'read-only' : 'writable'}`,
    ),
    ...rule.tmpfs.map(({ target, sizeBytes }) => `tmpfs of ${mib(sizeBytes)} on ${target}`),
    ...Object.entries(rule.ulimits).map(
      ([name, { soft, hard }]) => `ulimit ${name} ${limit(soft)}, at most ${limit(hard)}`,
    ),
    ...(rule.shmBytes === null ? [] : [`/dev/shm of ${mib(rule.shmBytes)}`]),
    ...(rule.seccomp === null ? [] : [`seccomp profile ${rule.seccomp}`]),
    ...(rule.userNamespaces ? ['user namespaces'] : []),
  ];
}

/** Whether the channel of a task has to be known to say which rules hold for a build of this tag. */
export function asksForChannel({ rules }: Pick<SiteFile, 'rules'>, tag: string): boolean {
  return rules.some(({ tags, channels }) => channels !== null && (tags === null || isAmong(tag, tags)));
}

function toRule(rule: z.infer<typeof Rule>): SiteRule {
  const { mounts = [], tmpfs = [], ulimits = {} } = rule;
  return {
    reason: rule.reason,
    tags: rule.tags ?? null,
    channels: rule.channels ?? null,
    packages: rule.packages ?? null,
    devices: rule.devices ?? [],
    mounts: mounts.map(({ source, target, read_only: readOnly = true, relabel }) => ({
      source,
      target,
      readOnly,
      ...(relabel !== undefined && { relabel }),
    })),
    tmpfs: tmpfs.map(({ target, size: sizeBytes }) => ({ target, sizeBytes })),
    ulimits,
    shmBytes: rule.shm_size ?? null,
    seccomp: rule.seccomp ?? null,
    userNamespaces: rule.user_namespaces === true,
  };
}

function decode(
  path: string,
  files: ConfigFiles,
): { readonly value: unknown } | { readonly problem: string } {
  if (files.kind(path) === 'missing')
    return { problem: 'there is no such file; create it or correct site_file' };
  let text: string;
  try {
    text = Buffer.from(files.read(path)).toString();
  } catch (error) {
    return { problem: `cannot be read: ${describeError(error)}; let the daemon's user read it` };
  }
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: `is not JSON: ${describeError(error)}` };
  }
}

/** A profile that the engine cannot read would fail each build that wants it. */
function whyNoProfile(path: string, files: ConfigFiles): string | null {
  const content = decode(path, files);
  if ('problem' in content) return content.problem;
  const Profile = z.looseObject({ defaultAction: z.string(), syscalls: z.array(z.unknown()) });
  return Profile.safeParse(content.value).success
    ? null
    : 'is not a seccomp profile: it has to be an object with defaultAction and syscalls, as containers-common has one';
}

function toBytes(text: string): number | null {
  return size.schema.safeParse(text).data ?? null;
}

function reach(limit: number): number {
  return limit === -1 ? Number.POSITIVE_INFINITY : limit;
}
