import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mayImport } from '../../scripts/lint/import-boundaries.ts';

const root = join(import.meta.dirname, '../..');

/** The rows of the one table in a section of `docs/architecture.md`: the names in backticks of each column. */
function tableOf(section: string): readonly (readonly (readonly string[])[])[] {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const [, part = ''] = text.split(`\n## ${section}\n`);
  const [body = ''] = part.split('\n## ');
  const rows = body.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)),
  );
}

describe('docs/architecture.md', () => {
  it('says who may import whom as the lint does', () => {
    const rows = tableOf('Who may import whom').map(([areas = [], names = []]) => [areas.join(), names]);

    expect(rows).toEqual([...mayImport]);
  });

  it('says what each folder is for', () => {
    const named = tableOf('Where things are').flatMap(([folders = []]) => folders);

    const entries = readdirSync(join(root, 'src'), { withFileTypes: true });
    const names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
    expect([...named].sort()).toEqual(names.sort());
  });
});
