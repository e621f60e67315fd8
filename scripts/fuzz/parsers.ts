import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { BuildrootStepFailed, BuildrootUnavailable } from '../../src/buildroot/errors.ts';
import { findOrigins, parseOrigins } from '../../src/buildroot/report/package-origins.ts';
import { parseRepoPackages } from '../../src/buildroot/report/repo-content.ts';
import { BuildrootMismatch, parseInstalled } from '../../src/buildroot/root/installed-packages.ts';
import { collectFiles } from '../../src/buildroot/rpmbuild/collect-results.ts';
import { ResultsBudget } from '../../src/buildroot/rpmbuild/results-budget.ts';
import { parseRepoState } from '../../src/buildroot/solve/repo-state.ts';
import { KeytabError, keytabPrincipals } from '../../src/config/checks/keytab.ts';
import { parseIni } from '../../src/config/format/ini.ts';
import { never } from '../../src/core/never.ts';
import { parseComps } from '../../src/devhub/comps.ts';
import { HubFault, HubProtocolError } from '../../src/hub/faults.ts';
import { encodeCall, encodeFault, encodeResponse } from '../../src/hub/xmlrpc/codec.ts';
import { decodeCall, decodeResponse } from '../../src/hub/xmlrpc/decode.ts';
import { PolicyError } from '../../src/policy/errors.ts';
import { parseImagePolicy } from '../../src/policy/schema.ts';
import { dependencyTags } from '../../src/rpm/dependency-tags.ts';
import { BadNvr, BadRpm } from '../../src/rpm/errors.ts';
import { parseRpmHeader } from '../../src/rpm/header.ts';
import { parseNvra } from '../../src/rpm/nvr.ts';
import type { Material } from './mutator.ts';

/** A parser of what comes from outside. */
export interface FuzzedParser extends Material {
  /** Parses; what it throws must be one of the parser's own errors. */
  parse(input: Buffer): unknown;
  /** Whether an error is one that callers are told to expect. */
  isExpected(error: unknown): boolean;
}

type ErrorClass = abstract new (...args: never[]) => Error;

const only =
  (...classes: readonly ErrorClass[]) =>
  (error: unknown): boolean =>
    classes.some((one) => error instanceof one);
/** XML that is none: saxes throws a plain Error that begins with line and column. */
const isXmlError = (error: unknown): boolean =>
  error instanceof Error && /^(\d+:\d+: |undefined:)/.test(error.message);

const texts = (...all: readonly string[]): Buffer[] => all.map((text) => Buffer.from(text));
const fixture = (path: string): Buffer =>
  readFileSync(join(import.meta.dirname, '../../test/fixtures', path));
/** The first of an RPM: its payload is not looked at. */
const header = (name: string): Buffer => fixture(`rpm/${name}`).subarray(0, 24 * 1024);

const xmlWords = [
  '<struct>',
  '</struct>',
  '<member><name>__proto__</name>',
  '<value>',
  '</value>',
  '<array><data>',
  '<i8>',
  '<nil/>',
  '&lt;',
  '&#0;',
  '<![CDATA[',
  '<!ENTITY a "b">',
  '<?xml',
];

async function archive(): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'RPMS/a-1-1.noarch.rpm' }, 'a package');
  tar.entry({ name: 'RPMS/../../../etc/passwd.rpm' }, 'root');
  tar.entry({ name: 'RPMS/link.rpm', type: 'symlink', linkname: 'a-1-1.noarch.rpm' });
  tar.entry({ name: 'RPMS/hard.rpm', type: 'link', linkname: 'RPMS/a-1-1.noarch.rpm' });
  tar.entry({ name: `RPMS/${'long'.repeat(50)}.rpm` }, 'long');
  tar.entry({ name: 'RPMS/fifo.rpm', type: 'fifo' });
  tar.finalize();
  // A stream without an encoding yields buffers.
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const results = await archive();

/** More than any input has. */
const collectedBytes = 64 * 1024 * 1024;
const collected = join(tmpdir(), `koji-adjutant-fuzz-${process.pid}`);
let collections = 0;
process.once('exit', () => rmSync(collected, { recursive: true, force: true }));

async function collect(input: Buffer): Promise<unknown> {
  if (collections % 1000 === 0) {
    rmSync(collected, { recursive: true, force: true });
    mkdirSync(collected);
  }
  collections += 1;
  const budget = new ResultsBudget('rpmbuild', collectedBytes);
  return collectFiles(Readable.from([input]), collected, '.rpm', budget, never);
}

/** Every parser of foreign input, by name. */
export const parsers: Readonly<Record<string, FuzzedParser>> = {
  xmlrpc: {
    corpus: texts(
      encodeResponse([1, -1.5, 'text', null, true, 2 ** 40, { a: { b: [] }, constructor: 'c' }]),
      encodeFault(1000, 'no such tag: <x> & y'),
      encodeCall('host.openTask', [7, { __starstar: true, strict: true }]),
      '<?xml version="1.0"?><methodResponse><params><param><value><struct><member><name>__proto__</name><value><struct><member><name>polluted</name><value>1</value></member></struct></value></member></struct></value></param></params></methodResponse>',
    ),
    words: [
      ...xmlWords,
      '<methodResponse>',
      '<fault>',
      '<int>99999999999999999999</int>',
      '<double>1e999</double>',
    ],
    parse(input) {
      try {
        decodeCall(input);
      } catch (error) {
        if (!(error instanceof HubProtocolError)) throw error;
      }
      return decodeResponse(input);
    },
    isExpected: only(HubFault, HubProtocolError),
  },
  ini: {
    corpus: texts(
      '[kojid]\nserver = http://hub/kojihub\n; comment\nworkdir=/tmp\n  more\n\n[adjutant]\nkey: value %(other)s\n',
      '[__proto__]\npolluted = yes\n[constructor]\nprototype = 1\n',
    ),
    words: [
      '[',
      ']',
      '=',
      ':',
      '\n',
      '\r\n',
      ' ',
      '%(',
      ')s',
      '%',
      '__proto__',
      'DEFAULT',
      ';',
      '#',
      '\u2028',
    ],
    parse: (input) => parseIni(input.toString('utf8')),
    isExpected: () => false,
  },
  rpm: {
    corpus: ['rich.src.rpm', 'rich.x86_64.rpm', 'rich.nosrc.rpm', 'rich-data.noarch.rpm'].map(header),
    words: ['\u0000', '\u00ff\u00ff\u00ff\u00ff', '\u008e\u00ad\u00e8\u0001', 'rpm'],
    async parse(input) {
      const parsed = await parseRpmHeader(input);
      for (const kind of Object.keys(dependencyTags) as (keyof typeof dependencyTags)[])
        parsed.dependencies(kind);
      for (const tag of parsed.tags) parsed.values(tag);
      return parsed.files();
    },
    isExpected: only(BadRpm),
  },
  policy: {
    corpus: texts(
      '{"version": "1.0", "rules": [{"type": "tag_arch", "tag": "f", "arch": "x86_64", "image": "i:1", "network": true}, {"type": "default", "image": "i", "limits": {"memory": "8g", "pids": 5, "cpus": 1.5}}]}',
      '{"__proto__": {"polluted": 1}, "version": "1.0", "rules": []}',
    ),
    words: [
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '\\u0000',
      '__proto__',
      'null',
      '1e999',
      '"rules"',
      '"image"',
      '-',
    ],
    parse: (input) => parseImagePolicy('tag', input.toString('utf8')),
    isExpected: only(PolicyError),
  },
  rpmlist: {
    corpus: texts(
      '{"id": 1, "name": "bash", "version": "5", "release": "1", "epoch": null, "arch": "x86_64", "payloadhash": "00", "size": 1, "__proto__": {"polluted": 1}}\n{"id": 2, "name": "b", "version": "5", "release": "1", "arch": "noarch", "payloadhash": "ab"}\n',
    ),
    words: ['{', '}', '"', '\n', ',', '"id": ', 'null', '1e400', '\\ud800', '__proto__'],
    parse: (input) => parseRepoPackages(input.toString('utf8'), 'rpmlist.jsonl'),
    isExpected: only(BuildrootUnavailable),
  },
  repomd: {
    corpus: [
      fixture('external-repo/repomd.xml'),
      ...texts(
        '<repomd><data type="primary"><checksum>ab</checksum><open-checksum>cd</open-checksum><location href="repodata/p.xml"/></data><data type="origin"><location href="o.gz"/></data></repomd>',
      ),
    ],
    words: [...xmlWords, '<data type="primary">', '<open-checksum>', '</data>', '<location href="', '"/>'],
    parse(input) {
      const text = input.toString('utf8');
      parseRepoState(text);
      return findOrigins(text);
    },
    isExpected: isXmlError,
  },
  origins: {
    corpus: texts('bash-5-1.x86_64\thttp://h/r/\n2:vim-9-1.src http://h/\n', '__proto__-1-1.noarch x\n'),
    words: ['\t', '\n', '-', '.', ':', ' ', '@', '.rpm', '__proto__', '\u0085'],
    parse: (input) => parseOrigins(input.toString('utf8')),
    isExpected: only(BadNvr),
  },
  installed: {
    corpus: texts(
      `bash\t\t5\t1\tx86_64\t${'0'.repeat(32)}\t100\t1700000000\ngpg-pubkey\t\t1\t2\t(none)\t${'a'.repeat(32)}\t0\t1\n`,
    ),
    words: ['\t', '\n', '0', '(none)', 'gpg-pubkey', '9'.repeat(40), '__proto__'],
    parse: (input) => parseInstalled(input.toString('utf8')),
    isExpected: only(BuildrootMismatch),
  },
  nvra: {
    corpus: texts('1:name-with-dash-1.0-1.fc43.x86_64.rpm@place', 'a-b-c.d', '-'.repeat(50)),
    words: ['-', '.', ':', '@', '.rpm', '.src'],
    parse: (input) => parseNvra(input.toString('utf8')),
    isExpected: only(BadNvr),
  },
  comps: {
    corpus: texts(
      '<comps><group><id>build</id><packagelist><packagereq type="mandatory">bash</packagereq></packagelist></group></comps>',
    ),
    words: [...xmlWords, '<group>', '</group>', '<id>', '<packagereq>'],
    parse: (input) => parseComps(input.toString('utf8')),
    isExpected: isXmlError,
  },
  keytab: {
    corpus: [
      Buffer.from(
        '0502000000230001000b4558414d504c452e434f4d0004686f73740000000100000000010012002000',
        'hex',
      ),
      Buffer.from('0502ffffffec0001000b4558414d504c452e434f4d0004686f7374000000010000', 'hex'),
    ],
    words: ['\u0000\u0000\u0000\u0000', '\u0080\u0000\u0000\u0000', 'EXAMPLE.COM'],
    parse: (input) => keytabPrincipals(input),
    isExpected: only(KeytabError),
  },
  results: {
    corpus: [results, results.subarray(0, 2048)],
    words: ['../', '/', '\u0000', 'ustar', '.rpm', '7777777', '\u0080'],
    parse: collect,
    // What tar-stream says of an archive that is none.
    isExpected: (error) =>
      error instanceof BuildrootStepFailed ||
      (error instanceof Error &&
        /Invalid tar header|Unexpected end of data|Writable stream closed|Premature close|size/i.test(
          error.message,
        )),
  },
};
