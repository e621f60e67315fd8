import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { extendSeccompProfile, prepareSeccomp } from './seccomp.ts';

const ownProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 38,
  archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
  syscalls: [
    { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW', args: [], includes: {}, excludes: {} },
    {
      names: ['personality'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: 0, valueTwo: 0, op: 'SCMP_CMP_EQ' }],
    },
  ],
};

const Extended = z.object({
  syscalls: z.array(
    z.object({
      names: z.array(z.string()),
      action: z.string(),
      args: z.array(z.object({ value: z.number(), valueTwo: z.number(), op: z.string() })),
    }),
  ),
});

/** Whether a rule of the profile lets `personality(argument)` through, as the kernel's filter would decide. */
function allows(text: string, argument: bigint): boolean {
  const rules = Extended.parse(JSON.parse(text)).syscalls.filter(({ names }) =>
    names.includes('personality'),
  );
  return rules.some(({ args }) =>
    args.every(({ value, valueTwo, op }) =>
      op === 'SCMP_CMP_EQ'
        ? argument === BigInt(value)
        : op === 'SCMP_CMP_MASKED_EQ' && (argument & BigInt(value)) === BigInt(valueTwo),
    ),
  );
}

describe('extendSeccompProfile', () => {
  const text = extendSeccompProfile(JSON.stringify(ownProfile));

  it('keeps all of the profile', () => {
    const extended: unknown = JSON.parse(text);

    expect(extended).toMatchObject({ ...ownProfile, syscalls: expect.arrayContaining(ownProfile.syscalls) });
    expect(
      Extended.parse(extended)
        .syscalls.slice(-2)
        .map(({ names, action }) => [...names, action]),
    ).toEqual([
      ['personality', 'SCMP_ACT_ALLOW'],
      ['personality', 'SCMP_ACT_ALLOW'],
    ]);
  });

  it.each([
    ['linux', 0n],
    ['linux32', 0x8n],
    ['setarch -R', 0x40000n],
    ['setarch linux32 -R', 0x40008n],
    ['setarch linux32 -R -L -B -3 --uname-2.6', 0x8a60008n],
    ['a question', 0xffffffffn],
    ['a question with a negative number', 0xffffffffffffffffn],
  ])('lets a build ask for %s', (_, argument) => {
    expect(allows(text, argument)).toBe(true);
  });

  it.each([
    ['READ_IMPLIES_EXEC', 0x400000n],
    ['MMAP_PAGE_ZERO', 0x100000n],
    ['setarch -R -X', 0x440000n],
    ['another system', 0x6n],
  ])('does not let it ask for %s', (_, argument) => {
    expect(allows(text, argument)).toBe(false);
  });

  it.each(['', 'no JSON', '[]', '{"defaultAction": "SCMP_ACT_ERRNO"}', '{"syscalls": []}'])(
    'refuses %j, which is no profile',
    (profile) => {
      expect(() => extendSeccompProfile(profile)).toThrow();
    },
  );
});

describe('user namespaces', () => {
  const rule = (names: readonly string[], more: object = {}) => ({
    names,
    action: 'SCMP_ACT_ALLOW',
    args: [],
    ...more,
  });
  const refusal = rule(['setns'], { action: 'SCMP_ACT_ERRNO', errnoRet: 1 });
  const usual = JSON.stringify({
    ...ownProfile,
    syscalls: [rule(['clone', 'clone3', 'read', 'unshare']), rule(['unshare']), refusal],
  });
  /** What the first rule that fits does; null: the default. */
  const decides = (text: string, call: string, flags: bigint) => {
    const rules = Extended.parse(JSON.parse(text)).syscalls.filter(({ names }) => names.includes(call));
    const fits = rules.filter(({ args }) =>
      args.every(({ value, valueTwo }) => (flags & BigInt(value)) === BigInt(valueTwo)),
    );
    // Two that fit and differ would leave it to the filter's order.
    expect(new Set(fits.map(({ action }) => action)).size).toBeLessThan(2);
    return fits[0]?.action ?? null;
  };

  it.each([
    ['clone', 0x1000_0000n, 'SCMP_ACT_ERRNO'],
    ['clone', 0x1002_0011n, 'SCMP_ACT_ERRNO'],
    ['clone', 0x11n, 'SCMP_ACT_ALLOW'],
    ['unshare', 0x1000_0000n, 'SCMP_ACT_ERRNO'],
    ['unshare', 0x200n, 'SCMP_ACT_ALLOW'],
    ['clone3', 0n, 'SCMP_ACT_ERRNO'],
    ['read', 0n, 'SCMP_ACT_ALLOW'],
  ])('are refused unless they are opened: %s with %s', (call, flags, action) => {
    expect(decides(extendSeccompProfile(usual), call, flags)).toBe(action);
    expect(decides(extendSeccompProfile(usual, 'allowed'), call, flags)).toBe('SCMP_ACT_ALLOW');
  });

  it('leave the other rules of the profile as they are', () => {
    const { syscalls } = Extended.parse(JSON.parse(extendSeccompProfile(usual)));

    expect(syscalls[0]?.names).toEqual(['read']);
    expect(syscalls[1]).toMatchObject({ names: ['setns'], action: 'SCMP_ACT_ERRNO' });
  });
});

describe('prepareSeccomp', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'seccomp-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("writes the engine's profile, extended", async () => {
    const profilePath = join(directory, 'engine.json');
    await writeFile(profilePath, JSON.stringify(ownProfile));
    const path = join(directory, 'seccomp.json');

    const choice = await prepareSeccomp({ seccompEnabled: true, seccompProfilePath: profilePath }, path);

    expect(choice).toEqual({ kind: 'extended', path, openPath: `${path}.userns`, from: profilePath });
    expect(await readFile(`${path}.userns`, 'utf8')).toBe(
      extendSeccompProfile(JSON.stringify(ownProfile), 'allowed'),
    );
    expect(await readFile(path, 'utf8')).toBe(extendSeccompProfile(JSON.stringify(ownProfile)));
  });

  it.each([
    ['no seccomp', false, '/usr/share/containers/seccomp.json', 'without seccomp'],
    ['no name', true, null, 'does not name'],
    ['an empty name', true, '', 'does not name'],
    ['unconfined', true, 'unconfined', 'unconfined'],
    ['no file', true, '/no/such/profile.json', '/no/such/profile.json'],
  ])("stays with the engine's own protection: %s", async (_, seccompEnabled, seccompProfilePath, because) => {
    const choice = await prepareSeccomp(
      { seccompEnabled, seccompProfilePath },
      join(directory, 'seccomp.json'),
    );

    expect(choice).toEqual({ kind: 'own', because: expect.stringContaining(because) });
    await expect(readFile(join(directory, 'seccomp.json'))).rejects.toThrow('ENOENT');
  });

  it('says what is wrong with a profile that is none', async () => {
    const profilePath = join(directory, 'engine.json');
    await writeFile(profilePath, '{"syscalls": 1}');

    const choice = await prepareSeccomp(
      { seccompEnabled: true, seccompProfilePath: profilePath },
      join(directory, 'seccomp.json'),
    );

    expect(choice).toMatchObject({ kind: 'own', because: expect.stringContaining(profilePath) });
  });
});
