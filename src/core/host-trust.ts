import { X509Certificate } from 'node:crypto';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import { BuilderError, describeError } from './errors.ts';

/** Authorities that this host trusts, as curl and dnf on it would. */
export interface HostTrust {
  /** PEM, each once. */
  readonly certificates: readonly string[];
  /** The files and directories that have them. */
  readonly sources: readonly string[];
  /** What could not be read, a line each: the file, the entry and what is wrong with it. */
  readonly problems: readonly string[];
}

/** Where distributions keep the bundle that their curl, OpenSSL and Python read; on some a name leads to another. */
export const bundleFiles: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Directories in which OpenSSL looks an authority up by the hash of its name. */
const hashDirectories: readonly string[] = ['/etc/ssl/certs', '/etc/pki/tls/certs'];

/** Variables that name a bundle, as kojid's requests library, curl and OpenSSL heed them. */
const bundleVariables = ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'SSL_CERT_FILE'] as const;

/**
 * Reads the host's trust store: the bundle of the distribution, and the bundles and directories that the environment names. Each
 * of the programs that kojid uses heeds some of these and not others; here all of them count. An entry that is damaged is left
 * out and told, the others count. Never rejects: a host may have no store at all.
 */
export async function readHostTrust(
  env: NodeJS.ProcessEnv,
  places = { files: bundleFiles, directories: hashDirectories },
): Promise<HostTrust> {
  const reading = new Reading();
  for (const file of places.files) await reading.file(file, null);
  for (const path of places.directories) await reading.directory(path);
  for (const variable of bundleVariables) {
    const named = env[variable] ?? '';
    // The requests library takes a directory, too.
    if (named !== '' && !(await reading.directory(named))) await reading.file(named, ` (${variable})`);
  }
  for (const path of (env['SSL_CERT_DIR'] ?? '').split(':').filter((each) => each !== ''))
    if (!(await reading.directory(path)))
      reading.problems.push(`cannot read the directory ${path} (SSL_CERT_DIR)`);
  return {
    certificates: [...reading.certificates.values()],
    sources: [...new Set(reading.sources)],
    problems: reading.problems,
  };
}

const beginning = /^-----BEGIN (?:X509 )?CERTIFICATE-----/m;
const block = /-----BEGIN (?:X509 )?CERTIFICATE-----[^-]*(-----END (?:X509 )?CERTIFICATE-----)?/g;

class Reading {
  /** By fingerprint. */
  readonly certificates = new Map<string, string>();
  readonly sources: string[] = [];
  readonly problems: string[] = [];
  readonly #read = new Set<string>();

  /** `because`: says who wants the file, which then has to be there; null where it may be missing. */
  async file(path: string, because: string | null): Promise<void> {
    let text: string;
    try {
      const real = await realpath(path);
      if (this.#read.has(real)) return;
      this.#read.add(real);
      text = await readFile(real, 'latin1');
    } catch (error) {
      if (because === null && isMissing(error)) return;
      this.problems.push(`cannot read ${path}${because ?? ''}: ${describeError(error)}`);
      return;
    }
    if (because !== null && !beginning.test(text))
      this.problems.push(`${path}${because} holds no certificate in PEM form`);
    this.#add(text, path);
    this.sources.push(path);
  }

  /** Takes the entries that OpenSSL would look up. False when there is no such directory. */
  async directory(path: string): Promise<boolean> {
    let names: readonly string[];
    try {
      names = await readdir(path);
    } catch {
      return false;
    }
    const hashed = names.filter((name) => /^[0-9a-f]{8}\.\d+$/.test(name));
    const before = this.sources.length;
    for (const name of hashed) await this.file(join(path, name), null);
    // One name for all of them.
    const isNew = this.sources.length > before;
    this.sources.splice(before, this.sources.length, ...(isNew ? [path] : []));
    return true;
  }

  #add(text: string, path: string): void {
    for (const [index, match] of [...text.matchAll(block)].entries()) {
      try {
        if (match[1] === undefined) throw new Error('it has no end');
        const certificate = new X509Certificate(match[0]);
        this.certificates.set(certificate.fingerprint256, certificate.toString());
      } catch (error) {
        const line = text.slice(0, match.index).split('\n').length;
        this.problems.push(
          `certificate ${index + 1} of ${path}, in line ${line}, is damaged and left out: ${describeError(error)}`,
        );
      }
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/**
 * Has all connections of this process by TLS trust what the host trusts, and what `NODE_EXTRA_CA_CERTS` adds, in place of the
 * list that Node.js brings along. A host without any store keeps that list.
 */
export function trustAsHost({ certificates }: HostTrust): void {
  if (certificates.length === 0) return;
  // Since Node.js 24.5.
  if (typeof tls.setDefaultCACertificates !== 'function')
    throw new BuilderError(
      'node-too-old',
      'builder',
      `Node.js ${process.version} cannot use the trust store of this host: install 24.5 or newer`,
    );
  tls.setDefaultCACertificates([...certificates, ...tls.getCACertificates('extra')]);
}

/** The bundle for programs in containers; null where they have to do with what their image brings. */
export function toBundle({ certificates }: Pick<HostTrust, 'certificates'>): string | null {
  const all = [...certificates, ...tls.getCACertificates('extra')];
  return all.length === 0 ? null : all.map((pem) => `${pem.trimEnd()}\n`).join('');
}

/** The error, whose words on a certificate that is not trusted say what to do here in place of Node.js' own advice. */
export function explainDistrust(error: unknown): unknown {
  if (error instanceof Error)
    error.message = error.message.replace(
      /; if the root CA is installed locally[^\n]*/,
      ' (the trust store of this host knows no authority that vouches for it)',
    );
  return error;
}
