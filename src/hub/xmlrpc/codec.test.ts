import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HubFault, HubProtocolError } from '../faults.ts';
import {
  encodeCall,
  encodeFault,
  encodeResponse,
  maxDepth,
  RpcDouble,
  type RpcValue,
  splitKeywords,
  withKeywords,
} from './codec.ts';
import { decodeCall, decodeResponse } from './decode.ts';

const roundTrip = (value: RpcValue): RpcValue => decodeResponse(encodeResponse(value));
const response = (value: string): string =>
  `<?xml version='1.0'?>\n<methodResponse><params><param>${value}</param></params></methodResponse>`;

describe('encodeCall', () => {
  it('writes what the Python client of koji writes', () => {
    const xml = encodeCall('host.openTask', [7, null, { opts: true }]);

    expect(xml).toBe(
      "<?xml version='1.0'?>\n<methodCall>\n<methodName>host.openTask</methodName>\n<params>\n" +
        '<param>\n<value><int>7</int></value>\n</param>\n<param>\n<value><nil/></value></param>\n' +
        '<param>\n<value><struct>\n<member>\n<name>opts</name>\n<value><boolean>1</boolean></value>\n</member>\n' +
        '</struct></value>\n</param>\n</params>\n</methodCall>\n',
    );
  });

  it('is read back by decodeCall', () => {
    const call = decodeCall(encodeCall('build', ['a.src.rpm', 'f43', { scratch: true }]));

    expect(call).toEqual({ method: 'build', params: ['a.src.rpm', 'f43', { scratch: true }] });
  });
});

describe('numbers', () => {
  it.each([
    [2 ** 31 - 1, '<int>2147483647</int>'],
    [-(2 ** 31), '<int>-2147483648</int>'],
    [2 ** 31, '<i8>2147483648</i8>'],
    [2n ** 63n - 1n, '<i8>9223372036854775807</i8>'],
    [5n, '<int>5</int>'],
    [0.5, '<double>0.5</double>'],
    [2 ** 60, '<double>1152921504606846976.0</double>'],
    [new RpcDouble(4), '<double>4.0</double>'],
    [new RpcDouble(1e300), '<double>1e+300</double>'],
  ])('writes %s as %s', (value, expected) => {
    const xml = encodeResponse(value);

    expect(xml).toContain(`<value>${expected}</value>`);
  });

  it('reads 64-bit integers as numbers where those are exact, else as bigint', () => {
    expect(decodeResponse(response('<value><i8>9007199254740991</i8></value>'))).toBe(9007199254740991);
    expect(decodeResponse(response('<value><i8>9007199254740993</i8></value>'))).toBe(9007199254740993n);
  });

  it('refuses what no XML-RPC number can hold', () => {
    expect(() => encodeResponse(Number.NaN)).toThrow(RangeError);
    expect(() => encodeResponse(2n ** 63n)).toThrow(RangeError);
    expect(() => decodeResponse(response('<value><int>1.5</int></value>'))).toThrow(
      /"1.5" is not an integer/,
    );
    expect(() => decodeResponse(response('<value><double>nan</double></value>'))).toThrow(HubProtocolError);
  });

  it.each([
    ['<i8>9223372036854775807</i8>', 9223372036854775807n],
    ['<i8>-9223372036854775808</i8>', -9223372036854775808n],
    ['<i8>+9223372036854775807</i8>', 9223372036854775807n],
    ['<double>-.5e3</double>', -500],
  ])('reads %s', (element, expected) => {
    expect(decodeResponse(response(`<value>${element}</value>`))).toBe(expected);
  });

  it.each([
    '<i8>9223372036854775808</i8>',
    '<i8>-9223372036854775809</i8>',
    '<int>99999999999999999999</int>',
  ])('refuses %s, which does not fit into 64 bits', (element) => {
    expect(() => decodeResponse(response(`<value>${element}</value>`))).toThrow(/does not fit into 64 bits/);
  });

  it.each(['0x10', '0b1', '1e', '1e999', ''])('refuses "%s" as a double', (digits) => {
    expect(() => decodeResponse(response(`<value><double>${digits}</double></value>`))).toThrow(
      /is not a finite number/,
    );
  });
});

describe('text', () => {
  it('keeps carriage returns, markup and characters beyond the basic plane', () => {
    const text = 'a\r\n\tb & <c> ]]> "d" é 😀';

    expect(roundTrip(text)).toBe(text);
  });

  it('replaces what XML 1.0 cannot carry by U+FFFD', () => {
    expect(roundTrip('\u001b[31mred\u0000 \ud800 \uffff')).toBe('\ufffd[31mred\ufffd \ufffd \ufffd');
    expect(decodeResponse(response('<value><string>a\u001bb</string></value>'))).toBe('a\ufffdb');
  });

  it('reads an untyped value as a string', () => {
    expect(decodeResponse(response('<value> as it is </value>'))).toBe(' as it is ');
    expect(decodeResponse(response('<value/>'))).toBe('');
    expect(decodeResponse(response('<value>\n<int>3</int>\n</value>'))).toBe(3);
  });

  it('reads dates and base64 as the text they are', () => {
    expect(
      decodeResponse(response('<value><dateTime.iso8601>20261120T07:38:19</dateTime.iso8601></value>')),
    ).toBe('20261120T07:38:19');
    expect(decodeResponse(response('<value><base64>aGk=</base64></value>'))).toBe('aGk=');
  });
});

describe('structs', () => {
  it('keeps nil members and members that are called like parts of Object', () => {
    const value = decodeResponse(
      response(
        '<value><struct><member><name>__proto__</name><value><struct><member><name>polluted</name><value>yes</value></member></struct></value></member><member><name>epoch</name><value><nil/></value></member></struct></value>',
      ),
    );

    expect(Object.keys(value as object)).toEqual(['__proto__', 'epoch']);
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect('polluted' in {}).toBe(false);
  });

  it('refuses an undefined member instead of sending an empty value', () => {
    // A caller that got around the types is what this is about.
    const broken = { member: undefined } as unknown as RpcValue;

    expect(() => encodeResponse(broken)).toThrow(TypeError);
  });
});

describe('decodeResponse', () => {
  it.each(['<value><int>1</int></value>', '<name>a</name><name>b</name><value/>'])(
    'refuses a member that has not one name: %s',
    (member) => {
      expect(() =>
        decodeResponse(response(`<value><struct><member>${member}</member></struct></value>`)),
      ).toThrow(/name/);
    },
  );

  it('throws a fault as HubFault', () => {
    const error = capture(() => decodeResponse(encodeFault(1004, 'host 3 does not own task 7 <now>')));

    expect(error).toBeInstanceOf(HubFault);
    expect(error).toMatchObject({ faultCode: 1004, faultString: 'host 3 does not own task 7 <now>' });
  });

  it.each([
    ['a web page', '<html><body>502 Bad Gateway</body></html>', 'unexpected <html>'],
    ['a web page with doctype', '<!DOCTYPE html><html></html>', 'document type'],
    ['plain text', 'upstream timed out', 'text'],
    ['nothing', '', 'document'],
    ['a call', encodeCall('login', []), 'expected a methodResponse'],
    ['a cut document', encodeResponse('abc').slice(0, -20), 'unclosed'],
    ['two values', response('<value>a</value></param><param><value>b</value>'), 'exactly one'],
    ['a value inside a scalar', response('<value><int><nil/></int></value>'), 'unexpected <nil>'],
    ['two values in one', response('<value><int>1</int><int>2</int></value>'), 'more than one value'],
    [
      'entities',
      `<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a "aaaa">]>${response('<value>&a;</value>').slice(22)}`,
      'document type',
    ],
    ['an unknown entity', response('<value>&bomb;</value>'), 'entity'],
    ['bytes that are not UTF-8', new Uint8Array([0x3c, 0xff]), 'encoded data'],
  ])('explains %s', (_name, xml, problem) => {
    const error = capture(() => decodeResponse(xml));

    expect(error).toBeInstanceOf(HubProtocolError);
    expect(String(error)).toMatch(new RegExp(problem, 'i'));
  });

  it('shows the first 200 characters of what is no XML-RPC', () => {
    const error = capture(() => decodeResponse(`<html>${'x'.repeat(1000)}`));

    expect(String(error)).toContain(`it begins: <html>${'x'.repeat(194)}`);
    expect(String(error)).not.toContain('x'.repeat(195));
  });

  it('bounds nesting in both directions', () => {
    const nest = (levels: number): RpcValue => {
      let value: RpcValue = 'inner';
      for (let level = 0; level < levels; level += 1) value = [value];
      return value;
    };

    expect(roundTrip(nest(maxDepth))).toEqual(nest(maxDepth));
    expect(() => encodeResponse(nest(maxDepth + 1))).toThrow(RangeError);
    const open = '<value><array><data>'.repeat(100_000);
    expect(() => decodeResponse(response(open))).toThrow(/nest deeper/);
  });

  it('reads ten megabytes in moments', () => {
    const row = { id: 12345, name: 'hello', version: '2.12', release: '3.fc43', epoch: null, arch: 'x86_64' };
    const xml = Buffer.from(encodeResponse(Array.from({ length: 33_000 }, () => row)));

    const started = process.cpuUsage();
    const rows = decodeResponse(xml);
    const used = process.cpuUsage(started);

    expect(xml.length).toBeGreaterThan(10_000_000);
    expect(rows).toHaveLength(33_000);
    expect(used.user / 1e6).toBeLessThan(10);
  });
});

describe('keywords', () => {
  it('travel in a marked struct at the end', () => {
    const params = withKeywords([1], { strict: true });

    expect(params).toEqual([1, { strict: true, __starstar: true }]);
    expect(splitKeywords(params)).toEqual({ params: [1], keywords: { strict: true } });
  });

  it('are not there when nothing marks them', () => {
    expect(withKeywords([1], {})).toEqual([1]);
    expect(splitKeywords([1, { strict: true }])).toEqual({ params: [1, { strict: true }], keywords: {} });
    expect(splitKeywords([])).toEqual({ params: [], keywords: {} });
  });
});

describe('any value', () => {
  const text = fc.string({ unit: 'grapheme' }).map((value) => value.toWellFormed());
  const legal = text.filter(
    (value) => !/[^\t\n\r\u0020-\ufffd]/.test(value.replace(/[\u{10000}-\u{10ffff}]/gu, '')),
  );
  const values = fc.letrec<{ any: RpcValue; leaf: RpcValue }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      tie('leaf'),
      fc.array(tie('any'), { maxLength: 5 }),
      fc.dictionary(legal, tie('any'), { maxKeys: 5 }),
    ),
    leaf: fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
      legal,
    ),
  }));

  it('comes back as it was', () => {
    fc.assert(
      fc.property(values.any, (value) => {
        expect(roundTrip(value)).toEqual(value);
      }),
      { numRuns: 150 },
    );
  });

  it('comes back or is refused as no XML-RPC when the document is damaged', () => {
    fc.assert(
      fc.property(
        values.any,
        fc.nat(),
        fc.nat({ max: 12 }),
        fc.string({ maxLength: 6 }),
        (value, at, cut, put) => {
          const xml = encodeResponse(value);
          const offset = at % xml.length;
          const damaged = xml.slice(0, offset) + put + xml.slice(offset + cut);

          const error = capture(() => decodeResponse(damaged));

          if (error !== undefined) expect(error).toBeInstanceOf(HubProtocolError);
        },
      ),
      { numRuns: 150 },
    );
  });
});

function capture(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}
