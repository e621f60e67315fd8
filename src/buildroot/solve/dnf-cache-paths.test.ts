import { describe, expect, it } from 'vitest';
import { hubRepo } from '../plan/repos.ts';
import { fromKept, toKept } from './dnf-cache-paths.ts';

describe('toKept and fromKept', () => {
  it('name a file as the dnf that reads the repo from another URL looks for it', () => {
    const kept = toKept('build-675c9b0e76506b9f/repodata/repomd.xml');

    expect(kept).toBe('build/repodata/repomd.xml');
    // As dnf 4.14 has named it.
    expect(fromKept(kept ?? '', [hubRepo(['http://127.0.0.1:8377/1', 'http://other/'])])).toBe(
      'build-675c9b0e76506b9f/repodata/repomd.xml',
    );
  });

  it('keep what dnf 5 has parsed', () => {
    const kept = toKept('build-675c9b0e76506b9f/solv/build.solv');

    expect(kept).toBe('build/solv/build.solv');
    // As dnf 5.4 has named it.
    expect(fromKept(kept ?? '', [hubRepo(['http://127.0.0.1:8377/1'])])).toBe(
      'build-675c9b0e76506b9f/solv/build.solv',
    );
  });

  it.each(['build.solv', 'build-filenames.solvx', 'build-updateinfo.solvx'])('keep %s as it is', (path) => {
    expect(toKept(path)).toBe(path);
    expect(fromKept(path, [hubRepo(['http://x/'])])).toBe(path);
  });

  it.each([
    'expired_repos.json',
    'tempfiles.json',
    '_dnf_local-71c913707df56d1b/x',
    '@System.solv',
    'build-1/x',
  ])('leave out %s', (path) => {
    expect(toKept(path)).toBeNull();
  });
});
