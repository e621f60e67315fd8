import { buildUser, type SiteSettings } from './mock-environment.ts';

export interface MockConfigFacts {
  readonly name: string;
  readonly buildrootId: number;
  readonly repoId: number;
  readonly tagName: string;
  readonly targetArch: string;
  /** What is installed before BuildRequires come: `@build`. */
  readonly content: readonly string[];
  /** mock's name of the one that the tag asks for, or null. */
  readonly packageManager: string | null;
  readonly image: string;
  /** Why this image and, where it is not usual, this network. */
  readonly imageReason: string;
  readonly hasNetwork: boolean;
  /** What the operator's site file opens, a line each, with the reason. */
  readonly granted: readonly string[];
  readonly packageManagerConfig: string;
  readonly macros: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string>>;
  readonly site: SiteSettings;
}

/**
 * The text of `mock_config.log`: what this buildroot was made from, in the form that release engineers
 * know from kojid, so that `mock -r` on it repeats the build elsewhere. Nothing here reads it back.
 */
export function renderMockConfig(facts: MockConfigFacts): string {
  const options: Record<string, string | number | boolean> = {
    chroot_setup_cmd: `install ${facts.content.join(' ')}`,
    chroothome: buildUser.home,
    ...(facts.packageManager !== null && { package_manager: facts.packageManager }),
    root: facts.name,
    rpmbuild_networking: facts.hasNetwork,
    rpmbuild_timeout: facts.site.rpmbuildTimeoutSeconds,
    target_arch: facts.targetArch,
    use_host_resolv: facts.hasNetwork,
    'yum.conf': facts.packageManagerConfig,
  };
  const lines = [
    "# Made by Koji Adjutant: the buildroot is a Podman container, this is its description in mock's terms",
    '',
    `# Koji buildroot id: ${facts.buildrootId}`,
    `# Koji buildroot name: ${facts.name}`,
    `# Koji repo id: ${facts.repoId}`,
    `# Koji tag: ${facts.tagName}`,
    `# Bootstrap image: ${facts.image} (${facts.imageReason})`,
    ...facts.granted.map((line) => `# Opened by the site file: ${line}`),
    '',
    ...Object.entries(options).map(([key, value]) => `config_opts[${repr(key)}] = ${repr(value)}`),
    '',
    ...['ccache_enable', 'root_cache_enable', 'yum_cache_enable'].map(
      (key) => `config_opts['plugin_conf'][${repr(key)}] = False`,
    ),
    '',
    ...[...facts.macros]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `config_opts['macros'][${repr(key)}] = ${repr(value)}`),
    '',
    ...Object.keys(facts.environment)
      .sort()
      .map((key) => `config_opts['environment'][${repr(key)}] = ${repr(facts.environment[key] ?? '')}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Python's notation of a plain value. */
function repr(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'")
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these have to be escaped
    .replace(/[\0-\x1f\x7f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `'${escaped}'`;
}
