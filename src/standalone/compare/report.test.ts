import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type Comparison, findingsOf } from './comparison.ts';
import { formatComparison, toReportJson, unexcused } from './report.ts';
import { whitelist } from './whitelist.ts';

const comparison: Comparison = {
  taskId: 7,
  arch: 'x86_64',
  source: 'hello-1.0-1.src.rpm',
  packages: ['hello'],
  rootPackages: 139,
  repo: { id: 70, tag: 'f1-build', event: 500 },
  theirs: { host: 'other', buildrootId: 9, buildrootArch: 'x86_64', tookMs: 20_000 },
  ours: {
    image: 'i',
    because: 'b',
    tookMs: 5_300,
    steps: [{ name: 'fetch packages for @build', tookMs: 1200 }],
  },
  findings: findingsOf('hello', [
    { what: 'vendor', of: null, ours: 'Us\u001b[31m', theirs: null },
    { what: 'buildtime', of: null, ours: '1', theirs: '2' },
  ]),
  notes: ['something else'],
};

describe('formatComparison', () => {
  it('shows what differs, what is allowed and why, and how long both took', () => {
    expect(formatComparison(comparison).split('\n')).toEqual([
      'task 7: hello-1.0-1.src.rpm for x86_64, repo 70 of f1-build (event 500)',
      '  theirs    20.0 s  other, buildroot 9 (x86_64)',
      '  ours       5.3 s  i (b)',
      '             1.2 s  fetch packages for @build',
      '  compared: 1 packages, buildroot of 139 packages, names of logs',
      '  note: something else',
      '  DIFFERENT hello: vendor',
      '    ours:   Us\\u001b[31m',
      '    theirs: (not there)',
      expect.stringMatching(/^ {2}allowed {3}build-time \(1\): the package was built at another time/),
      '  1 differences outside the whitelist',
      '',
    ]);
  });

  it('lets no name or note make up a line, or reach the terminal as it is', () => {
    const sneaky = 'x\n  no difference\x1b[2J\u202e';
    const shown = formatComparison({ ...comparison, source: sneaky, notes: [sneaky] }).split('\n');

    expect(shown).toHaveLength(12);
    expect(shown[0]).toContain('x\\x0a  no difference\\x1b[2J\\u202e for x86_64');
    expect(shown[5]).toBe('  note: x\\x0a  no difference\\x1b[2J\\u202e');
  });
});

describe('toReportJson', () => {
  it('has every difference, with the name of what allows it', () => {
    expect(JSON.parse(toReportJson('7', [comparison]))).toMatchObject({
      target: '7',
      equal: false,
      tasks: [
        {
          taskId: 7,
          differences: [
            { subject: 'hello', what: 'vendor', ours: expect.any(String), theirs: null, allowedBy: null },
            { what: 'buildtime', allowedBy: 'build-time' },
          ],
        },
      ],
    });
    expect(unexcused([comparison])).toHaveLength(1);
  });
});

describe('whitelist', () => {
  it('is in the documents as it is in the program', async () => {
    const text = await readFile(new URL('../../../docs/compare.md', import.meta.url), 'utf8');
    const documented = text
      .split('\n')
      .flatMap((line) => /^\| `([a-z-]+)` \| (.+) \| (.+) \|$/.exec(line)?.slice(1) ?? []);

    expect(documented).toEqual(
      whitelist.flatMap(({ id, what, reason }) => [id, what.map((one) => `\`${one}\``).join(', '), reason]),
    );
  });
});
