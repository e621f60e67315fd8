import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { callCases } from './hub-faults/cases.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
/** These look at a hub from the outside and are no part of the daemon. */
const notTheDaemon = /^src\/(devhub|standalone\/compare|demo|doctor)\//;
/** The same call through another door; its tests need a web server with TLS. */
const likeAnother = ['sslLogin'];
/** They only read, and only older hubs or their repos need them: the development hub has none of these. */
const ofOlderHubs = ['host.getLoadData', 'listTaggedRPMS'];

function methodsInCode(): string[] {
  const files = globSync('src/**/*.ts', { cwd: root }).filter(
    (path) => !notTheDaemon.test(path) && !path.endsWith('.test.ts') && !path.includes('/podman/'),
  );
  const found = files.flatMap((path) => {
    const calls = [...read(path).matchAll(/(?:\.call(?:<[^>]*>)?|#endTask)\(\s*'([\w.]+)'/g)];
    // Those that make their requests by hand.
    const named = /^src\/(hub|upload)\//.test(path)
      ? [...read(path).matchAll(/\bmethod(?:Name)?: '([a-z][\w.]*)'/g)]
      : [];
    return [...calls, ...named].map(([, name]) => name ?? '');
  });
  return [...new Set(found)].sort();
}

function methodsInDocument(): string[] {
  const [, changing = '', reading = ''] = read('docs/hub-calls.md').split(/^## Calls that .*$/m);
  const rows = [...changing.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell]) => cell ?? '');
  const names = [...rows, reading.split(/^## /m)[0] ?? ''].flatMap((text) => [
    ...text.matchAll(/`([\w.]+)`/g),
  ]);
  return [...new Set(names.map(([, name]) => name ?? ''))].sort();
}

describe('docs/hub-calls.md', () => {
  it('has every method of the hub that the daemon uses, and no other', () => {
    expect(methodsInDocument()).toEqual(methodsInCode());
  });

  it('has a test for each', () => {
    const tested = [...new Set(callCases.map(({ method }) => method)), ...likeAnother, ...ofOlderHubs].sort();

    expect(tested).toEqual(methodsInDocument());
  });
});
