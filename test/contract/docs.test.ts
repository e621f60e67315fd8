import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const pages = [
  ...globSync('*.md', { cwd: root }),
  ...globSync('docs/**/*.md', { cwd: root }),
  ...globSync('images/*.md', { cwd: root }),
];
const records = globSync('docs/adr/0*.md', { cwd: root }).sort();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** What can be linked to in a page: its headings, as GitHub names them. */
function anchorsOf(page: string): readonly string[] {
  const headings = [...withoutCode(read(page)).matchAll(/^#+ (.*)$/gm)].map(([, text]) => text ?? '');
  return headings.map((text) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '');

/** Links within the project that lead nowhere. */
function brokenLinks(page: string): readonly string[] {
  const targets = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '');
  return targets.filter((target) => {
    if (/^https?:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const to = path === '' ? page : relative(root, join(root, dirname(page), path));
    if (globSync(to, { cwd: root }).length === 0) return true;
    return anchor !== undefined && !anchorsOf(to).includes(anchor);
  });
}

describe('the documents', () => {
  it.each(pages)('%s links to files and headings that are there', (page) => {
    expect(brokenLinks(page)).toEqual([]);
  });

  it('are all linked from the README or a page that is', () => {
    const seen = new Set(['README.md']);
    for (const page of seen)
      for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s#]+\.md)/g))
        if (!/^https?:/.test(target)) seen.add(relative(root, join(root, dirname(page), target)));

    expect(pages.filter((page) => !seen.has(page) && !page.startsWith('images/'))).toEqual([]);
  });
});

describe('the records of decisions', () => {
  it.each(records)('%s has a number and a status at its head, and a line in the index', (record) => {
    const [title = '', , status = ''] = read(record).split('\n');
    const number = basename(record).slice(0, 4);

    expect(title).toMatch(new RegExp(`^# ${number}: \\S`));
    expect(status).toMatch(/^Status: (accepted|superseded by \[)/);
    expect(read('docs/adr/README.md')).toContain(`| [${number}](${basename(record)}) | ${title.slice(8)} |`);
  });

  it('are marked as superseded where another says that it supersedes them', () => {
    for (const record of records) {
      const superseded = /^Supersedes: (.*)$/m.exec(read(record))?.[1] ?? '';
      for (const [, older = ''] of superseded.matchAll(/\]\((0[^)]*)\)/g))
        expect(read(`docs/adr/${older}`), `${record} supersedes ${older}`).toMatch(
          new RegExp(`^Status: .*superseded.*${basename(record)}`, 'm'),
        );
    }
  });
});
