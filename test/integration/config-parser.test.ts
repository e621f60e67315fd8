import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { iniCorpus } from '../support/ini-corpus.ts';
import { outcomeOfIni } from '../support/ini-outcome.ts';

/** Reads files as `koji.read_config_files(..., raw=True)` does: from stdin, a list of base64 texts. */
const oracle = `
import base64, configparser, json, os, sys, tempfile
outcomes = []
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'kojid.conf')
    for content in json.load(sys.stdin):
        with open(path, 'wb') as file:
            file.write(base64.b64decode(content))
        config = configparser.RawConfigParser()
        try:
            config.read([path], encoding='utf8')
            outcomes.append({'sections': {name: config.items(name) for name in config.sections()}})
        except UnicodeDecodeError:
            outcomes.append({'error': 'UnicodeDecodeError', 'lines': []})
        except configparser.Error as error:
            lines = [line for line, _ in error.errors] if hasattr(error, 'errors') else [error.lineno]
            outcomes.append({'error': type(error).__name__, 'lines': lines})
json.dump(outcomes, sys.stdout)
`;

const outcomes = z.array(
  z.union([
    z.object({ sections: z.record(z.string(), z.array(z.tuple([z.string(), z.string()]))) }),
    z.object({ error: z.string(), lines: z.array(z.number()) }),
  ]),
);

const python = spawnSync('python3', ['--version'], { encoding: 'utf8' });
const missing = python.status === 0 ? '' : ' (skipped: there is no python3 to compare with)';

function askPython(contents: readonly (string | Uint8Array)[]): z.infer<typeof outcomes> {
  const input = JSON.stringify(contents.map((content) => Buffer.from(content).toString('base64')));
  const { status, stdout, stderr } = spawnSync('python3', ['-c', oracle], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return outcomes.parse(JSON.parse(stdout));
}

describe.skipIf(missing !== '')(`the reader of kojid.conf beside Python's${missing}`, () => {
  it('has a corpus that Python agrees with', () => {
    const read = askPython(iniCorpus.map(({ content }) => content));

    expect(Object.fromEntries(iniCorpus.map(({ name }, index) => [name, read[index]]))).toEqual(
      Object.fromEntries(iniCorpus.map(({ name, outcome }) => [name, outcome])),
    );
  });

  it('agrees with Python on texts nobody thought of', () => {
    const piece = fc.constantFrom(
      ...['[kojid]', '[x]', '[DEFAULT]', 'a', 'B', 'c d', 'é', '1', '=', ':', ';', '#', '[', ']', '%', '"'],
      ...[
        ' ',
        '  ',
        '\t',
        '\n',
        '\n',
        '\n',
        '\n ',
        '\n\n',
        '\r\n',
        '\r',
        '\u000b',
        '\u001c',
        '\u0085',
        '\u2028',
        '\ufeff',
      ],
      ...['\na = ', '\nb: ', '\nkey', '\n  more', '\n; c', '\n# c'],
    );
    const document = fc
      .tuple(fc.boolean(), fc.array(piece, { maxLength: 30 }))
      .map(([headed, pieces]) => (headed ? '[kojid]\n' : '') + pieces.join(''));
    const texts = fc.sample(document, { numRuns: 4000, seed: 20_240_229 });

    const read = askPython(texts);

    for (const [index, text] of texts.entries()) {
      // Which of several problems Python meets first is for the corpus; that there is one is for all.
      const [ours, pythons] = [outcomeOfIni(text), read[index] ?? { error: 'no answer', lines: [] }];
      const both = 'error' in ours && 'error' in pythons;
      expect(both ? 'refused' : ours, JSON.stringify(text)).toEqual(both ? 'refused' : pythons);
    }
    expect(read.filter((outcome) => 'sections' in outcome).length).toBeGreaterThan(1000);
  });
});
