/** Not a keytab, or one that is cut off. The message says which. */
export class KeytabError extends Error {}

/**
 * The principals whose keys a keytab holds, in its order and each once. Reads the format every Kerberos has
 * written since 1992 (version 0x0502, all numbers in network order). Throws KeytabError.
 */
export function keytabPrincipals(bytes: Uint8Array): readonly string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < 2 || view.getUint16(0) !== 0x0502) throw new KeytabError('is not a keytab');
  const principals = new Set<string>();
  let at = 2;
  while (at + 4 <= view.byteLength) {
    const length = view.getInt32(at);
    at += 4;
    if (length === 0) break;
    // Removed entries leave holes, of negative length.
    if (length > 0) principals.add(readPrincipal(bytes.subarray(at, at + length), length));
    at += Math.abs(length);
  }
  return [...principals];
}

function readPrincipal(entry: Uint8Array, length: number): string {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  let at = 0;
  const number = (): number => {
    if (at + 2 > view.byteLength) throw new KeytabError('is cut off');
    at += 2;
    return view.getUint16(at - 2);
  };
  const text = (): string => {
    const end = number() + at;
    if (end > view.byteLength) throw new KeytabError('is cut off');
    const part = Buffer.from(entry.subarray(at, end)).toString('utf8');
    at = end;
    return part;
  };
  if (entry.byteLength < length) throw new KeytabError('is cut off');
  const components = number();
  const realm = text();
  const names = Array.from({ length: components }, text);
  return `${names.join('/')}@${realm}`;
}

/**
 * What keeps this keytab from proving that we are `principal` (null: anyone), or null when nothing does. A
 * principal without realm is found in any.
 */
export function keytabProblem(bytes: Uint8Array, principal: string | null): string | null {
  let held: readonly string[];
  try {
    held = keytabPrincipals(bytes);
  } catch (error) {
    if (error instanceof KeytabError)
      return `${error.message}; fetch it again from the administrator of Kerberos`;
    throw error;
  }
  if (held.length === 0) return 'holds no key; fetch it again from the administrator of Kerberos';
  if (principal === null || held.some((name) => isSame(name, principal))) return null;
  return `holds no key of ${principal}, but of ${held.join(', ')}; correct krb_principal or host_principal_format, or add the key`;
}

function isSame(held: string, wanted: string): boolean {
  return held === wanted || (!wanted.includes('@') && held.startsWith(`${wanted}@`));
}
