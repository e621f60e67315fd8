import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { BuilderError, describeError } from '../../core/errors.ts';

/** Certificates for talking to the hub, as PEM text. */
export interface TlsMaterial {
  /** The client's certificate and key in one text, as kojid's `cert` file holds them. */
  readonly clientPem: string | null;
  /** The authorities that may have signed the hub's certificate; null: those of the system. */
  readonly serverCaPem: string | null;
  /** Take any certificate of the hub. Without effect when `serverCaPem` is set, as with kojid. */
  readonly skipVerify: boolean;
}

/** Where the certificates are; left out: no client certificate, the system's authorities. */
export interface TlsFiles {
  /** kojid's `cert`. */
  readonly certPath?: string;
  /** kojid's `serverca`. */
  readonly caPath?: string;
  /** False for kojid's `no_ssl_verify`. */
  readonly verify: boolean;
}

/**
 * Reads the files that kojid's options `cert` and `serverca` name. Throws BuilderError `tls-config`, which
 * names the option, the file and what is wrong with it, before anything is sent to the hub.
 */
export async function loadTls({ certPath, caPath, verify }: TlsFiles): Promise<TlsMaterial> {
  const clientPem = certPath === undefined ? null : await readPem('cert', certPath);
  if (clientPem !== null && certPath !== undefined) checkClientPem(clientPem, certPath);
  const serverCaPem = caPath === undefined ? null : await readPem('serverca', caPath);
  return { clientPem, serverCaPem, skipVerify: !verify && serverCaPem === null };
}

async function readPem(option: string, file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw tlsError(`cannot read ${file} (option "${option}")`, error);
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw tlsError(`${file} (option "${option}") holds no certificate in PEM form`);
  return text;
}

function checkClientPem(pem: string, file: string): void {
  if (!/-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/.test(pem))
    throw tlsError(
      `${file} (option "cert") holds no private key; put certificate and key into that one file, the key without a pass phrase`,
    );
  let matches: boolean;
  try {
    matches = new X509Certificate(pem).checkPrivateKey(createPrivateKey(pem));
  } catch (error) {
    throw tlsError(`${file} (option "cert") cannot be used`, error);
  }
  if (!matches)
    throw tlsError(`certificate and private key in ${file} (option "cert") do not belong together`);
}

function tlsError(problem: string, cause?: unknown): BuilderError {
  const message = cause === undefined ? problem : `${problem}: ${describeError(cause)}`;
  return new BuilderError('tls-config', 'builder', message, { cause });
}
