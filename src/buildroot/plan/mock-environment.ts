import { BuilderError } from '../../core/errors.ts';
import { isPythonTrue } from '../../core/python-truth.ts';
import type { TagExtra } from '../../policy/tag-extra-cache.ts';

/**
 * The build user and its home, as mock makes them: `%_topdir` is `/builddir/build`, the user is
 * `mockbuild` with uid 1000, its group `mock` with Fedora's static gid.
 */
export const buildUser = {
  name: 'mockbuild',
  group: 'mock',
  uid: 1000,
  gid: 135,
  home: '/builddir',
} as const;

/** What of kojid's configuration goes into every buildroot (`koji/__init__.py genMockConfig`). */
export interface SiteSettings {
  readonly vendor: string;
  readonly packager: string;
  readonly distribution: string;
  /** The part of `%_host` behind the arch (`koji-linux-gnu`). */
  readonly mockHost: string;
  /** Host name that goes into RPM headers. */
  readonly buildHost: string;
  /** Proxy for the package manager, or null. */
  readonly proxy: string | null;
  readonly rpmbuildTimeoutSeconds: number;
}

/** A tag's settings make no sense; the message names the key. */
export class BadTagSetting extends BuilderError {
  constructor(message: string) {
    super('bad-tag-setting', 'request', message);
  }
}

/**
 * The macros of `~/.rpmmacros`, in the order mock would end up with: site, then tag (`rpm.macro.*`),
 * then those that a tag cannot change. Throws `BadTagSetting` for a name or value that would reach
 * beyond its own line. `processes`: what the limits of the build hold, null where they hold all that rpm would start.
 */
export function planMacros(
  site: SiteSettings,
  extra: TagExtra,
  targetArch: string,
  processes: number | null = null,
): ReadonlyMap<string, string> {
  const macros = new Map<string, string>([
    ['%_rpmfilename', '%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm'],
    ['%vendor', site.vendor],
    ['%packager', site.packager],
    ['%distribution', site.distribution],
    ['%_buildhost', site.buildHost],
    // How much longer a test may take than on the real machine.
    ['%_platform_multiplier', isPythonTrue(extra['mock.forcearch']) ? '10' : '1'],
  ]);
  if (processes !== null) macros.set('%_smp_ncpus_max', String(processes));
  for (const [name, value] of settingsBelow(extra, 'rpm.macro.')) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*(\([^)\n]*\))?$/.test(name)) {
      throw new BadTagSetting(`tag extra rpm.macro.${name}: not a macro name`);
    }
    const body = oneLine(`rpm.macro.${name}`, value);
    if (reachesOn(body)) {
      throw new BadTagSetting(
        `tag extra rpm.macro.${name}: the value must be a single line, rpm would read on after it`,
      );
    }
    macros.set(`%${name}`, body);
  }
  const fixed = [
    ['%_topdir', `${buildUser.home}/build`],
    ['%_host_cpu', targetArch],
    ['%_host', `${targetArch}-${site.mockHost}`],
  ] as const;
  for (const [name, body] of fixed) {
    // The last definition counts, also over one of the same name with parameters.
    macros.delete(name);
    macros.set(name, body);
  }
  return macros;
}

/**
 * Environment of the build user: mock's, with the tag's `rpm.env.*` on top. `processes` as in `planMacros`: older rpm looks here
 * alone, and newer rpm takes it for more than the macro, so that it is not there when the tag has set that.
 */
export function planEnvironment(
  extra: TagExtra,
  processes: number | null = null,
): Readonly<Record<string, string>> {
  const environment: Record<string, string> = {
    TERM: 'vt100',
    SHELL: '/bin/bash',
    HOME: buildUser.home,
    HOSTNAME: 'mock',
    PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
    PROMPT_COMMAND: 'printf "\\033]0;<mock-chroot>\\007"',
    PS1: '<mock-chroot> \\s-\\v\\$ ',
    LANG: 'C.UTF-8',
  };
  if (processes !== null && !('rpm.macro._smp_ncpus_max' in extra))
    environment['RPM_BUILD_NCPUS'] = String(processes);
  for (const [name, value] of settingsBelow(extra, 'rpm.env.')) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new BadTagSetting(`tag extra rpm.env.${name}: not the name of an environment variable`);
    }
    environment[name] = oneLine(`rpm.env.${name}`, value);
  }
  return environment;
}

/** `~/.rpmmacros` as text. */
export function renderMacros(macros: ReadonlyMap<string, string>): string {
  return [...macros].map(([name, value]) => `${name} ${value}\n`).join('');
}

function* settingsBelow(extra: TagExtra, prefix: string): Generator<[string, string]> {
  for (const [key, value] of Object.entries(extra)) {
    if (!key.startsWith(prefix)) continue;
    yield [key.slice(prefix.length), pythonText(key, value)];
  }
}

/** `str()` of a JSON value as kojid applies it. */
function pythonText(key: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null) return 'None';
  throw new BadTagSetting(`tag extra ${key}: must be text or a number, not a structure`);
}

/** Whether rpm takes the next line of a macro file for a part of this one: a backslash at its end, or an open bracket. */
function reachesOn(body: string): boolean {
  const closing: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' };
  const open = new Map(Object.keys(closing).map((bracket) => [bracket, 0]));
  for (let i = 0; i < body.length; i += 1) {
    const char = body.charAt(i);
    const next = body.charAt(i + 1);
    if (char === '\\') {
      if (next === '') return true;
      i += 1;
    } else if (char === '%') {
      if (open.has(next)) open.set(next, (open.get(next) ?? 0) + 1);
      if (next === '%' || open.has(next)) i += 1;
    } else {
      for (const [bracket, depth] of open) {
        if (depth === 0) continue;
        if (char === bracket) open.set(bracket, depth + 1);
        if (char === closing[bracket]) open.set(bracket, depth - 1);
      }
    }
  }
  return [...open.values()].some((depth) => depth > 0);
}

function oneLine(key: string, value: string): string {
  if (/[\n\r\0]/.test(value)) throw new BadTagSetting(`tag extra ${key}: the value must be a single line`);
  return value;
}
