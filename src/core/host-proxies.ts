import { BuilderError } from './errors.ts';
import { withoutLogins } from './redact.ts';

/** Proxies by the names of environment variables, as curl, Python and Node.js read them. */
export interface Proxies {
  readonly http_proxy?: string;
  readonly https_proxy?: string;
  readonly ftp_proxy?: string;
  /** Hosts that are spoken to directly, separated by commas. */
  readonly no_proxy?: string;
}

/** This host itself is never reached by a proxy. */
const ownNames = ['localhost', '127.0.0.1', '::1'] as const;

/**
 * The proxies that the environment names, by names in small letters or else in capitals, `all_proxy` where there is no
 * better one: kojid (requests) and mock's dnf heed them. Empty when there are none. Throws BuilderError `proxy-config` for one
 * that is no proxy for http.
 */
export function readProxies(env: NodeJS.ProcessEnv): Proxies {
  const named = (name: string): string | undefined => {
    const value = env[name] ?? env[name.toUpperCase()];
    return value === undefined || value.trim() === '' ? undefined : value.trim();
  };
  const all = named('all_proxy');
  const found: Record<string, string> = {};
  for (const name of ['http_proxy', 'https_proxy', 'ftp_proxy']) {
    const value = named(name) ?? (name === 'ftp_proxy' ? undefined : all);
    if (value !== undefined) found[name] = toProxyUrl(value, `${name} of the environment`);
  }
  if (Object.keys(found).length === 0) return {};
  const direct = (named('no_proxy') ?? '').split(/[\s,]+/).filter((name) => name !== '');
  return { ...found, no_proxy: [...new Set([...direct, ...ownNames])].join(',') };
}

/** Proxies for repos: kojid's `yum_proxy` for http and https where it is set, as dnf has it. Throws as `readProxies` does. */
export function repoProxies(yumProxy: string | null, proxies: Proxies): Proxies {
  if (yumProxy === null) return proxies;
  const url = toProxyUrl(yumProxy, 'yum_proxy');
  return { ...proxies, http_proxy: url, https_proxy: url };
}

function toProxyUrl(value: string, name: string): string {
  // As curl and the requests library take it.
  const url = value.includes('://') ? value : `http://${value}`;
  if (URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol)) return url;
  throw new BuilderError(
    'proxy-config',
    'builder',
    `${name} is ${withoutLogins(value)}, which is not a proxy for http: give its URL, such as http://proxy.example.com:3128`,
  );
}

/**
 * The same for an agent of Node.js, which takes a name in `no_proxy` for that host alone: to curl and the requests library it
 * stands for all below it, too.
 */
export function agentProxies({ no_proxy: direct, ...proxies }: Proxies): Proxies {
  if (direct === undefined) return proxies;
  const names = direct.split(',').flatMap((name) => {
    const bare = name.replace(/^\*?\./, '');
    return name === '*' || /^[\d.:[\]/-]+$/.test(name) ? [name] : [bare, `.${bare}`];
  });
  return { ...proxies, no_proxy: [...new Set(names)].join(',') };
}
