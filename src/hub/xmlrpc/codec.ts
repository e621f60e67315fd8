import { SaxesParser } from 'saxes';
import { HubFault, HubProtocolError } from '../faults.ts';

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

/** Decodes a `methodCall` document, such as a stored task request. Throws HubProtocolError. */
export function decodeCall(xml: string | Uint8Array): RpcCall {
  const document = parse(xml);
  if (document.method === undefined) throw notRpc('expected a methodCall document', xml);
  return { method: document.method, params: document.params };
}

/**
 * Decodes a `methodResponse` document. Throws HubFault when it carries a fault, and HubProtocolError,
 * which shows the beginning of the text, when it is none.
 */
export function decodeResponse(xml: string | Uint8Array): RpcValue {
  const document = parse(xml);
  if (document.method !== undefined) throw notRpc('expected a methodResponse document', xml);
  if (document.fault !== undefined) throw toFault(document.fault, xml);
  const [value, ...rest] = document.params;
  if (value === undefined || rest.length > 0) throw notRpc('expected exactly one value', xml);
  return value;
}

// ---- encoding

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
const illegalInXml = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/gu;

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

// ---- decoding

interface Document {
  method: string | undefined;
  params: RpcValue[];
  fault: RpcValue | undefined;
}

/** One open element: its text, or the value or values its children have delivered. */
interface Frame {
  readonly element: string;
  text: string;
  value: RpcValue | undefined;
  readonly items: RpcValue[] | undefined;
  readonly members: Record<string, RpcValue> | undefined;
}

const scalars = ['nil', 'boolean', 'int', 'i4', 'i8', 'double', 'string', 'dateTime.iso8601', 'base64'];

/** Which elements may stand in which. */
const grammar: Readonly<Record<string, ReadonlySet<string>>> = {
  '': new Set(['methodCall', 'methodResponse']),
  methodCall: new Set(['methodName', 'params']),
  methodResponse: new Set(['params', 'fault']),
  params: new Set(['param']),
  param: new Set(['value']),
  fault: new Set(['value']),
  value: new Set([...scalars, 'array', 'struct']),
  array: new Set(['data']),
  data: new Set(['value']),
  struct: new Set(['member']),
  member: new Set(['name', 'value']),
};
const textElements = new Set([...scalars, 'value', 'name', 'methodName']);

/** Elements per level of arrays (value, array, data) or structs, and those around the outermost value. */
const maxOpenElements = 3 * maxDepth + 8;

function parse(source: string | Uint8Array): Document {
  if (source.length > maxDocumentLength)
    throw new HubProtocolError(`an XML-RPC document of more than ${maxDocumentLength} bytes is not read`);
  const document: Document = { method: undefined, params: [], fault: undefined };
  const stack: Frame[] = [openFrame('')];
  const parser = new SaxesParser({ position: false });
  // A document type could declare entities, which no XML-RPC needs and which can expand without bound.
  parser.on('doctype', () => fail('a document type declaration is not allowed'));
  parser.on('opentag', (tag) => {
    const parent = top(stack);
    if (grammar[parent.element]?.has(tag.name) !== true) fail(`unexpected <${tag.name}>`);
    if (parent.element === 'value' && parent.value !== undefined) fail('more than one value in <value>');
    if (stack.length > maxOpenElements) fail(`values nest deeper than ${maxDepth} levels`);
    stack.push(openFrame(tag.name));
  });
  const onText = (text: string): void => {
    const frame = top(stack);
    if (textElements.has(frame.element)) frame.text += text;
    else if (text.trim() !== '') fail(`unexpected text in <${frame.element}>`);
  };
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.on('closetag', () => {
    const frame = stack.pop() ?? fail('unexpected end of an element');
    closeFrame(frame, top(stack), document);
  });
  try {
    parser.write(toText(source)).close();
  } catch (error) {
    throw notRpc(error instanceof Error ? error.message : String(error), source, error);
  }
  return document;
}

function openFrame(element: string): Frame {
  return {
    element,
    text: '',
    value: undefined,
    items: element === 'data' ? [] : undefined,
    members: element === 'struct' ? emptyStruct() : undefined,
  };
}

/** Hands what an element has gathered to the element around it. */
function closeFrame(frame: Frame, parent: Frame, document: Document): void {
  switch (frame.element) {
    case 'value': {
      // A value without a type is a string; white space around a typed one means nothing.
      const value = frame.value === undefined ? frame.text : frame.value;
      if (parent.items !== undefined) parent.items.push(value);
      else parent.value = value;
      return;
    }
    case 'data':
      parent.value = frame.items;
      return;
    case 'array':
      parent.value = frame.value ?? fail('<array> without <data>');
      return;
    case 'struct':
      parent.value = frame.members;
      return;
    case 'name':
      parent.text = frame.text;
      return;
    case 'member':
      if (parent.members !== undefined) parent.members[frame.text] = required(frame, 'a value');
      return;
    case 'param':
      document.params.push(required(frame, 'a value'));
      return;
    case 'fault':
      document.fault = required(frame, 'a value');
      return;
    case 'methodName':
      document.method = frame.text;
      return;
    case 'methodCall':
      if (document.method === undefined) fail('<methodCall> without <methodName>');
      return;
    case 'methodResponse':
    case 'params':
      return;
    default:
      parent.value = toScalar(frame.element, frame.text);
  }
}

function required(frame: Frame, what: string): RpcValue {
  if (frame.value === undefined) return fail(`<${frame.element}> without ${what}`);
  return frame.value;
}

function toScalar(element: string, text: string): RpcValue {
  switch (element) {
    case 'nil':
      return null;
    case 'boolean': {
      const digit = text.trim();
      return digit === '1' ? true : digit === '0' ? false : fail(`"${digit}" is not a boolean`);
    }
    case 'int':
    case 'i4':
    case 'i8': {
      const digits = text.trim();
      if (!/^[-+]?\d{1,20}$/.test(digits)) fail(`"${digits.slice(0, 40)}" is not an integer`);
      const value = Number(digits);
      return Number.isSafeInteger(value) ? value : BigInt(digits);
    }
    case 'double': {
      const value = Number(text);
      if (text.trim() === '' || !Number.isFinite(value))
        fail(`"${text.slice(0, 40)}" is not a finite number`);
      return value;
    }
    default:
      // Koji sends dates as strings and file data as base64 in strings; both elements are read the same way.
      return text;
  }
}

function toText(source: string | Uint8Array): string {
  const text = typeof source === 'string' ? source : new TextDecoder('utf-8', { fatal: true }).decode(source);
  return text.replace(illegalInXml, '\ufffd');
}

function toFault(fault: RpcValue, xml: string | Uint8Array): HubFault {
  if (isStruct(fault)) {
    const { faultCode, faultString } = fault;
    if (typeof faultCode === 'number' && typeof faultString === 'string')
      return new HubFault(faultCode, faultString);
  }
  throw notRpc('a fault needs faultCode and faultString', xml);
}

function notRpc(problem: string, source: string | Uint8Array, cause?: unknown): HubProtocolError {
  const head =
    typeof source === 'string' ? source.slice(0, 200) : new TextDecoder().decode(source.subarray(0, 200));
  return new HubProtocolError(`not an XML-RPC document (${problem}); it begins: ${head}`, { cause });
}

/** A struct without prototype: no member name can reach Object.prototype. */
function emptyStruct(): Record<string, RpcValue> {
  // Object.create is typed as any; a fresh object without prototype is exactly this.
  return Object.create(null) as Record<string, RpcValue>;
}

function top(stack: readonly Frame[]): Frame {
  return stack.at(-1) ?? fail('text outside of the document');
}

function fail(problem: string): never {
  throw new Error(problem);
}
