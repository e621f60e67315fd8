import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { fileURLToPath } from 'node:url';
import { withoutLogins } from '../core/redact.ts';

/** Addresses of this host, its link and of networks that are not the internet (RFC 6890). A list of each kind: in one, mapped ones are both. */
const inner4 = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  inner4.addSubnet(network, prefix, 'ipv4');
const inner6 = new BlockList();
for (const [network, prefix] of [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  inner6.addSubnet(network, prefix, 'ipv6');

/**
 * Where what a repo names may lie: at the servers that the repo itself is at, and for a repo on this host below its
 * directory. A repo's metadata and its server are written by others, and would name any file of this host or any server
 * that only this host reaches.
 */
export class RepoOrigins {
  readonly #servers = new Set<string>();
  readonly #directories: string[] = [];

  /** `urls`: of the repos, and of others that are known to lie in them. */
  constructor(urls: readonly string[]) {
    for (const url of urls) {
      if (!URL.canParse(url)) continue;
      const { protocol, origin } = new URL(url);
      if (protocol === 'file:') this.#directories.push(...directoryOf(url));
      else this.#servers.add(origin);
    }
  }

  /** The servers, sorted, for keys: what one of them says is told apart from what another says. */
  get servers(): readonly string[] {
    return [...this.#servers].sort();
  }

  /** Why what the metadata names is not read; null when it may be. */
  whyNotNamed(url: string): string | null {
    const { protocol, origin } = new URL(url);
    const isOwn =
      protocol === 'file:'
        ? directoryOf(url).some((path) => this.#directories.some((own) => path.startsWith(own)))
        : this.#servers.has(origin);
    if (isOwn) return null;
    const place = protocol === 'file:' ? 'a file of this host' : `server ${origin}`;
    return `it lies at ${place}, which is none of the repo's own places (${withoutLogins(this.#describe())})`;
  }

  /**
   * Why a redirect from `from` is not followed; null when it may be. Besides the repo's own servers others may be meant that
   * everybody reaches, which is how mirrors are chosen; from https only https. And a server of its own may have gone from http
   * to https, each at its usual port: in a site's own network it is not on the internet.
   */
  async whyNotRedirected(from: string, to: string): Promise<string | null> {
    const { protocol, origin, hostname, port } = new URL(to);
    if (protocol !== 'http:' && protocol !== 'https:') return `it redirects to a ${protocol} URL`;
    const isSecured = protocol === 'https:' && port === '' && this.#servers.has(`http://${hostname}`);
    if (this.#servers.has(origin) || isSecured) return null;
    if (from.startsWith('https:') && protocol === 'http:') return `it redirects from https to ${origin}`;
    return (await isInner(hostname))
      ? `it redirects to ${origin}, which is none of the repo's own servers and not on the internet`
      : null;
  }

  #describe(): string {
    return [...this.#servers, ...this.#directories].join(', ');
  }
}

/** Whether a name or one of its addresses is not on the internet. One that cannot be looked up here is left to the proxy. */
async function isInner(hostname: string): Promise<boolean> {
  const literal = hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0) return isInnerAddress(literal);
  const found = await lookup(hostname, { all: true }).catch(() => []);
  return found.some(({ address }) => isInnerAddress(address));
}

function isInnerAddress(address: string): boolean {
  return isIP(address) === 4 ? inner4.check(address, 'ipv4') : inner6.check(address, 'ipv6');
}

/** The path of a `file:` URL, with a slash at its end; nothing for one that names another host. */
function directoryOf(url: string): readonly string[] {
  try {
    return [`${fileURLToPath(url).replace(/\/+$/, '')}/`];
  } catch {
    return [];
  }
}
