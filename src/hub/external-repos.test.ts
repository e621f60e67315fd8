import { describe, expect, it } from 'vitest';
import { externalRow } from '../../test/support/hub-rows.ts';
import { ExternalRepo } from './api/schema.ts';
import { externalUrl, outOfReach, reposForArch } from './external-repos.ts';

const repo = (more: Parameters<typeof externalRow>[0]) => ExternalRepo.parse(externalRow(more));

describe('external repos', () => {
  it('have the arch wherever their URL asks for it', () => {
    expect(externalUrl({ url: 'http://h/$arch/os/$arch/' }, 'i386')).toBe('http://h/i386/os/i386/');
  });

  it('are for the arches they name, or for all', () => {
    const repos = [null, '', ' aarch64  x86_64 ', 'i386'].map((arches) => repo({ arches }));

    expect(reposForArch(repos, 'x86_64')).toEqual(repos.slice(0, 3));
  });

  it.each([
    ['https://h/ext/', null],
    ['ftp://h/ext/', null],
    ['file:///mnt/ext/', 'external repo ext lies at file:///mnt/ext/'],
    ['/mnt/ext/', 'external repo ext lies at /mnt/ext/'],
  ])('at %s are out of reach or not', (url, complaint) => {
    const found = outOfReach([repo({}), repo({ url })]);

    if (complaint === null) expect(found).toBeNull();
    else expect(found).toContain(complaint);
  });
});
