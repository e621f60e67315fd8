import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { describeError } from '../../../core/errors.ts';

/** What containers are filtered with, and what follows for builds. */
export type SeccompChoice =
  /** The engine's profile with `personality` opened, at `path`. */
  | { readonly kind: 'extended'; readonly path: string; readonly from: string }
  /** The engine's own protection, because its profile cannot be extended: `setarch -R` fails in builds. */
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
  syscalls: z.array(z.looseObject({})),
});

const uname26 = 0x0020000;
const addrNoRandomize = 0x0040000;
const addrCompatLayout = 0x0200000;
const addrLimit32Bit = 0x0800000;
const addrLimit3Gb = 0x8000000;
const linux32 = 0x8;
const harmless = linux32 | uname26 | addrNoRandomize | addrCompatLayout | addrLimit32Bit | addrLimit3Gb;
/** The kernel reads 32 bits of the argument. */
const allBits = 0xffffffff;

/**
 * The profile with two more rules: `personality(2)` may be asked for what it is, and may choose between
 * linux and linux32 and where the process's own addresses lie, which is what gdb, `setarch -R` and
 * test suites do. What makes memory executable or maps page zero stays closed.
 */
export function extendSeccompProfile(text: string): string {
  const profile = Profile.parse(JSON.parse(text));
  const personality = (mask: number, value: number) => ({
    names: ['personality'],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index: 0, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }],
  });
  const syscalls = [
    ...profile.syscalls,
    personality((allBits & ~harmless) >>> 0, 0),
    personality(allBits, allBits),
  ];
  return `${JSON.stringify({ ...profile, syscalls }, null, 1)}\n`;
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
  let extended: string;
  try {
    extended = extendSeccompProfile(await readFile(profilePath, 'utf8'));
  } catch (error) {
    return { kind: 'own', because: `cannot read the profile ${profilePath}: ${describeError(error)}` };
  }
  // Containers may be made from it at any time: whole or not at all.
  const draft = `${path}.${process.pid}.new`;
  await writeFile(draft, extended, { mode: 0o644 });
  await rename(draft, path);
  return { kind: 'extended', path, from: profilePath };
}
