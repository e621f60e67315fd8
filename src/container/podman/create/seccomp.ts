import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { describeError } from '../../../core/errors.ts';

/** What containers are filtered with, and what follows for builds. */
export type SeccompChoice =
  /** The engine's profile with `personality` opened: at `path` without user namespaces, at `openPath` with them. */
  | { readonly kind: 'extended'; readonly path: string; readonly openPath: string; readonly from: string }
  /** The engine's own protection, because its profile cannot be extended: `setarch -R` fails in builds, user namespaces do not. */
  | { readonly kind: 'own'; readonly because: string };

/** What the engine says about itself (`podman info`, `host.security`). */
export interface EngineSeccomp {
  readonly seccompEnabled: boolean;
  /** Profile that it gives containers by default; podman has another one built in when there is no such file. */
  readonly seccompProfilePath?: string | null | undefined;
}

/** The part of a profile (OCI runtime, `linux.seccomp`) that is looked at; the rest passes through. */
const Profile = z.looseObject({
  defaultAction: z.string(),
  syscalls: z.array(z.looseObject({ names: z.array(z.string()), action: z.string() })),
});
type Rule = z.infer<typeof Profile>['syscalls'][number];

const allow = 'SCMP_ACT_ALLOW';

const uname26 = 0x0020000;
const addrNoRandomize = 0x0040000;
const addrCompatLayout = 0x0200000;
const addrLimit32Bit = 0x0800000;
const addrLimit3Gb = 0x8000000;
const linux32 = 0x8;
const harmless = linux32 | uname26 | addrNoRandomize | addrCompatLayout | addrLimit32Bit | addrLimit3Gb;
/** The kernel reads 32 bits of the argument. */
const allBits = 0xffffffff;

/** How the kernel's filter shall decide about user namespaces. */
export type UserNamespaces = 'refused' | 'allowed';

const cloneNewUser = 0x1000_0000;
const eperm = 1;
const enosys = 38;

/**
 * The profile with two more rules: `personality(2)` may be asked for what it is, and may choose between
 * linux and linux32 and where the process's own addresses lie, which is what gdb, `setarch -R` and
 * test suites do. What makes memory executable or maps page zero stays closed. Where user namespaces are refused, they
 * end with EPERM, as in a chroot, and clone3, whose flags no filter can see, is not implemented, as on an older kernel.
 */
export function extendSeccompProfile(text: string, userNamespaces: UserNamespaces = 'refused'): string {
  const profile = Profile.parse(JSON.parse(text));
  const personality = (mask: number, value: number) => ({
    names: ['personality'],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index: 0, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }],
  });
  const syscalls = [
    ...(userNamespaces === 'allowed' ? profile.syscalls : withoutUserNamespaces(profile.syscalls)),
    personality((allBits & ~harmless) >>> 0, 0),
    personality(allBits, allBits),
  ];
  return `${JSON.stringify({ ...profile, syscalls }, null, 1)}\n`;
}

function withoutUserNamespaces(rules: readonly Rule[]): readonly object[] {
  const closed = ['clone', 'unshare', 'clone3'];
  const others = rules.flatMap((rule) => {
    const names = rule.names.filter((name) => !closed.includes(name));
    return rule.action !== allow || names.length === rule.names.length
      ? [rule]
      : names.length === 0
        ? []
        : [{ ...rule, names }];
  });
  const flag = (name: string, action: object, set: boolean) => ({
    names: [name],
    ...action,
    // Both have the flags first on the arches that this runs on (s390 has those of clone second).
    args: [{ index: 0, value: cloneNewUser, valueTwo: set ? cloneNewUser : 0, op: 'SCMP_CMP_MASKED_EQ' }],
  });
  const refusal = { action: 'SCMP_ACT_ERRNO', errnoRet: eperm };
  return [
    ...others,
    ...['clone', 'unshare'].flatMap((name) => [
      flag(name, { action: allow }, false),
      flag(name, refusal, true),
    ]),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys, args: [] },
  ];
}

/**
 * Writes the engine's default profile, extended, to `path` for the engine to read. Where that cannot be
 * done, the engine's own protection is the choice: never less than that.
 */
export async function prepareSeccomp(engine: EngineSeccomp, path: string): Promise<SeccompChoice> {
  const { seccompEnabled, seccompProfilePath: profilePath } = engine;
  if (!seccompEnabled) return { kind: 'own', because: 'the engine was built without seccomp' };
  if (profilePath === undefined || profilePath === null || profilePath === '') {
    return { kind: 'own', because: 'the engine does not name its default profile' };
  }
  if (profilePath === 'unconfined') {
    return { kind: 'own', because: 'seccomp_profile is "unconfined" in containers.conf' };
  }
  let profiles: Readonly<Record<string, string>>;
  const openPath = `${path}.userns`;
  try {
    const text = await readFile(profilePath, 'utf8');
    profiles = {
      [path]: extendSeccompProfile(text, 'refused'),
      [openPath]: extendSeccompProfile(text, 'allowed'),
    };
  } catch (error) {
    return { kind: 'own', because: `cannot read the profile ${profilePath}: ${describeError(error)}` };
  }
  // Containers may be made from it at any time: whole or not at all.
  for (const [place, content] of Object.entries(profiles)) {
    const draft = `${place}.${process.pid}.new`;
    await writeFile(draft, content, { mode: 0o644 });
    await rename(draft, place);
  }
  return { kind: 'extended', path, openPath, from: profilePath };
}
