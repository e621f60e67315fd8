import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCircles, importedFiles } from '../../scripts/lint/import-circles.ts';

const source = join(import.meta.dirname, '../../src');

/** The circles of a small project, each as `a -> b -> a`. */
function circlesOf(files: Readonly<Record<string, string>>): readonly string[] {
  const imports = new Map(Object.entries(files).map(([path, text]) => [path, importedFiles(path, text)]));
  return findCircles(imports).map((circle) => circle.join(' -> '));
}

describe('src', () => {
  it('has no files that import one another in a circle, for types or for values', () => {
    const files = globSync('**/*.ts', { cwd: source }).filter((path) => !path.endsWith('.test.ts'));
    expect(files.length).toBeGreaterThan(300);

    const texts = files.map((path) => [path, readFileSync(join(source, path), 'utf8')] as const);

    expect(circlesOf(Object.fromEntries(texts))).toEqual([]);
  });
});

describe('the check for circles', () => {
  it.each([
    ['of values', "import { b } from './b.ts';", "import { a } from './a.ts';"],
    ['of types', "import type { B } from './b.ts';", "import type { A } from './a.ts';"],
    ['of exports', "export * from './b.ts';", "export type { A } from './a.ts';"],
    ['of late imports', "const b = await import('./b.ts');", "import './a.ts';"],
    ['over lines', "import {\n  b,\n} from './b.ts';", "import {\n  type A,\n} from './a.ts';"],
  ])('finds one %s', (_what, a, b) => {
    expect(circlesOf({ 'x/a.ts': a, 'x/b.ts': b })).toEqual(['x/a.ts -> x/b.ts -> x/a.ts']);
  });

  it('finds a long one, between folders, and a file that imports itself', () => {
    expect(
      circlesOf({
        'cli.ts': "import './a/one.ts';",
        'a/one.ts': "import '../b/two.ts';\nimport './one.ts';",
        'b/two.ts': "import '../c/three.ts';",
        'c/three.ts': "import type { One } from '../a/one.ts';",
      }),
    ).toEqual(['a/one.ts -> b/two.ts -> c/three.ts -> a/one.ts', 'a/one.ts -> a/one.ts']);
  });

  it('finds none where two ways lead to the same file', () => {
    expect(
      circlesOf({
        'a.ts': "import './b.ts';\nimport './c.ts';\nimport { z } from 'zod';",
        'b.ts': "import './d.ts';",
        'c.ts': "import './d.ts';",
        'd.ts': '',
      }),
    ).toEqual([]);
  });
});
