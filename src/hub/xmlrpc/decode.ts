import { SaxesParser } from 'saxes';
import { HubFault, HubProtocolError } from '../faults.ts';
import {
  emptyStruct,
  illegalInXml,
  isStruct,
  maxDepth,
  maxDocumentLength,
  type RpcCall,
  type RpcValue,
} from './codec.ts';

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

interface Document {
  method: string | undefined;
  params: RpcValue[];
  fault: RpcValue | undefined;
}

/** One open element: its text, or the value or values its children have delivered. */
interface Frame {
  readonly element: string;
  /** Of a member; undefined until its <name> has been read. */
  name: string | undefined;
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
    name: undefined,
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
      if (parent.name !== undefined) fail('more than one name in <member>');
      parent.name = frame.text;
      return;
    case 'member': {
      const name = frame.name ?? fail('<member> without a name');
      if (parent.members !== undefined) parent.members[name] = required(frame, 'a value');
      return;
    }
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
      if (Number.isSafeInteger(value)) return value;
      const exact = BigInt(digits.replace('+', ''));
      return BigInt.asIntN(64, exact) === exact ? exact : fail(`${digits} does not fit into 64 bits`);
    }
    case 'double': {
      const digits = text.trim();
      const value = Number(digits);
      // What else JavaScript takes for a number (hexadecimal, binary) is none in XML-RPC.
      if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(digits) || !Number.isFinite(value))
        fail(`"${digits.slice(0, 40)}" is not a finite number`);
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

function top(stack: readonly Frame[]): Frame {
  return stack.at(-1) ?? fail('text outside of the document');
}

function fail(problem: string): never {
  throw new Error(problem);
}
