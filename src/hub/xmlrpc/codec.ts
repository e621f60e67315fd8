/**
 * A value of Koji's XML-RPC dialect. Whole numbers travel as `<int>`, beyond 32 bit as `<i8>`; other
 * numbers as `<double>`. Decoding gives a `bigint` only for integers a `number` cannot hold, and structs
 * without a prototype, so that a member called `__proto__` is a member like any other.
 */
export type RpcValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | RpcDouble
  | readonly RpcValue[]
  | { readonly [key: string]: RpcValue };

/** A number that must travel as `<double>` although it is whole, such as a load of 1.0. */
export class RpcDouble {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A decoded `methodCall` document. */
export interface RpcCall {
  readonly method: string;
  readonly params: readonly RpcValue[];
}

/** How deep arrays and structs may nest, in both directions. Koji's own data stays below 20. */
export const maxDepth = 200;

/** The longest document that is decoded, in characters or bytes; V8 cannot hold strings of 512 Mi. */
export const maxDocumentLength = 256 * 1024 * 1024;

const xmlHeader = "<?xml version='1.0'?>\n";

/** A complete `methodCall` document. Throws TypeError or RangeError for what XML-RPC cannot carry. */
export function encodeCall(method: string, params: readonly RpcValue[]): string {
  const encoded = params.map((param) => `<param>\n${encodeValue(param)}</param>\n`).join('');
  return `${xmlHeader}<methodCall>\n<methodName>${escapeText(method)}</methodName>\n<params>\n${encoded}</params>\n</methodCall>\n`;
}

/**
 * A complete `methodResponse` document. `host.closeTask` takes its result in this form, as a string
 * that must start with the XML declaration.
 */
export function encodeResponse(value: RpcValue): string {
  return `${xmlHeader}<methodResponse>\n<params>\n<param>\n${encodeValue(value)}</param>\n</params>\n</methodResponse>\n`;
}

/** A complete fault document, the form in which `host.failTask` takes the reason. */
export function encodeFault(code: number, message: string): string {
  return `${xmlHeader}<methodResponse>\n<fault>\n${encodeValue({ faultCode: code, faultString: message })}</fault>\n</methodResponse>\n`;
}

/** Appends keyword arguments as Koji's Python calls take them (`koji.encode_args`). */
export function withKeywords(
  params: readonly RpcValue[],
  keywords: Readonly<Record<string, RpcValue>>,
): readonly RpcValue[] {
  if (Object.keys(keywords).length === 0) return params;
  return [...params, { ...keywords, __starstar: true }];
}

/** The reverse of {@link withKeywords} (`koji.decode_args`); stored task requests may have that form too. */
export function splitKeywords(params: readonly RpcValue[]): {
  readonly params: readonly RpcValue[];
  readonly keywords: Readonly<Record<string, RpcValue>>;
} {
  const last = params.at(-1);
  if (!isStruct(last) || last['__starstar'] !== true) return { params, keywords: emptyStruct() };
  const keywords = emptyStruct();
  for (const [name, value] of Object.entries(last)) if (name !== '__starstar') keywords[name] = value;
  return { params: params.slice(0, -1), keywords };
}

/** Whether a value is a struct (and not null, a list or an explicit double). */
export function isStruct(value: RpcValue | undefined): value is { readonly [key: string]: RpcValue } {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof RpcDouble)
  );
}

/** A struct without prototype: no member name can reach Object.prototype. */
export function emptyStruct(): Record<string, RpcValue> {
  // Object.create is typed as any; a fresh object without prototype is exactly this.
  return Object.create(null) as Record<string, RpcValue>;
}

/** Writes one value the way `koji.xmlrpcplus.ExtendedMarshaller` does. */
function encodeValue(value: RpcValue): string {
  const out: string[] = [];
  writeValue(value, out, 0);
  return out.join('');
}

function writeValue(value: RpcValue, out: string[], depth: number): void {
  if (depth > maxDepth) throw new RangeError(`an XML-RPC value nests deeper than ${maxDepth} levels`);
  if (value === null) out.push('<value><nil/></value>');
  else if (typeof value === 'string') out.push(`<value><string>${escapeText(value)}</string></value>\n`);
  else if (typeof value === 'boolean') out.push(`<value><boolean>${value ? 1 : 0}</boolean></value>\n`);
  else if (typeof value === 'number')
    out.push(Number.isSafeInteger(value) ? encodeInteger(value) : encodeDouble(value));
  else if (typeof value === 'bigint') out.push(encodeInteger(value));
  else if (value instanceof RpcDouble) out.push(encodeDouble(value.value));
  else if (isStruct(value)) {
    out.push('<value><struct>\n');
    for (const [name, member] of Object.entries(value)) {
      out.push(`<member>\n<name>${escapeText(name)}</name>\n`);
      writeValue(member, out, depth + 1);
      out.push('</member>\n');
    }
    out.push('</struct></value>\n');
  } else if (Array.isArray(value)) {
    out.push('<value><array><data>\n');
    for (const item of value) writeValue(item, out, depth + 1);
    out.push('</data></array></value>\n');
  } else throw new TypeError(`XML-RPC cannot carry a value of type ${typeof value}`);
}

const int32 = 2n ** 31n;
const int64 = 2n ** 63n;

function encodeInteger(value: number | bigint): string {
  const whole = BigInt(value);
  if (whole >= -int32 && whole < int32) return `<value><int>${whole}</int></value>\n`;
  if (whole >= -int64 && whole < int64) return `<value><i8>${whole}</i8></value>\n`;
  throw new RangeError(`${whole} does not fit the 64-bit integers of XML-RPC`);
}

function encodeDouble(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`XML-RPC cannot carry the number ${value}`);
  return `<value><double>${Number.isInteger(value) && Math.abs(value) < 1e21 ? value.toFixed(1) : value}</double></value>\n`;
}

/**
 * Characters that XML 1.0 has no form for. Koji's Python client sends them raw and the hub then rejects
 * the whole request as not well-formed; here each becomes U+FFFD, in both directions, so that one escape
 * sequence in a compiler's message cannot keep a task from being failed. Lone surrogates are among them.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are what it is about
export const illegalInXml = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/gu;

/** A carriage return is written as a reference, because a parser turns a plain one into a line feed. */
const escapes: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['\r', '&#13;'],
]);

function escapeText(text: string): string {
  const legal = text.replace(illegalInXml, '\ufffd');
  return /[&<>\r]/.test(legal)
    ? legal.replace(/[&<>\r]/g, (character) => escapes.get(character) ?? character)
    : legal;
}
