import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { excuseFor, readWhitelist, toTableRows, Whitelist } from './whitelist.ts';

const excuses = (field: object, path: string, kojid: string | null, ours: string | null) =>
  excuseFor(
    'td1-scratch-a-1-1',
    { path, kojid, ours },
    Whitelist.parse({ lines: [], fields: [{ title: 't', reason: 'r', ...field }] }),
  ) !== null;

describe('the whitelist', () => {
  it.each([
    ['**/info/weight', 'build/buildArch x86_64/info/weight', true],
    ['**/info/weight', 'info/weight', true],
    ['**/info/weight', 'build/info/weights', false],
    ['build/*/info', 'build/a b/info', true],
    ['build/*/info', 'build/a/b/info', false],
    ['**/rpm */file.mtime *', 'build/rpm a.rpm/file.mtime /usr/bin/x', false],
    ['**/rpm */file.mtime **', 'build/rpm a.rpm/file.mtime /usr/.build-id/x', true],
    ['a.log', 'axlog', false],
  ])('takes %s for %s: %s', (path, of, excused) => {
    expect(excuses({ path }, of, 'a', 'b')).toBe(excused);
  });

  it('excuses values of the named form only', () => {
    const field = { path: '**', kojid: '^root$', ours: '^mock$' };
    expect(excuses(field, 'a', 'root', 'mock')).toBe(true);
    expect(excuses(field, 'a', 'root', 'root2')).toBe(false);
    expect(excuses(field, 'a', 'root', null)).toBe(false);
  });

  it('tells a side that has nothing from one that has anything', () => {
    expect(excuses({ path: '**', kojid: null }, 'a', null, 'x')).toBe(true);
    expect(excuses({ path: '**', kojid: null }, 'a', '', 'x')).toBe(false);
  });

  it('excuses differences of the named builds only', () => {
    expect(excuses({ path: '**', case: '*-a-*' }, 'a', 'x', 'y')).toBe(true);
    expect(excuses({ path: '**', case: '*-b-*' }, 'a', 'x', 'y')).toBe(false);
  });

  it('excuses what is equal beside a part', () => {
    const field = { path: '**', beside: ' mock' };
    expect(excuses(field, 'a', 'error, mock exited, mock', 'error, exited,')).toBe(true);
    expect(excuses(field, 'a', 'error, mock exited', 'error, ended')).toBe(false);
  });

  it('of the project is what the documentation says', () => {
    const page = readFileSync(new URL('../../docs/parity.md', import.meta.url), 'utf8');
    expect(page).toContain(toTableRows(readWhitelist()).join('\n'));
  });
});
