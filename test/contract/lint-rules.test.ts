import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const root = join(import.meta.dirname, '../..');
const Report = z.object({
  diagnostics: z.array(z.looseObject({ code: z.string(), filename: z.string(), message: z.string() })),
});

/** Names of the rules that report something about a project of these files, by file. */
async function lint(files: Readonly<Record<string, string>>): Promise<Record<string, readonly string[]>> {
  const directory = await temporaryDirectory();
  const tsconfig = '{"compilerOptions": {"strict": true, "module": "nodenext", "target": "es2024"}}';
  // Its patterns are relative to where it lies.
  const rules = (await readFile(join(root, '.oxlintrc.json'), 'utf8')).replaceAll('"./', `"${root}/`);
  const all = { 'tsconfig.json': tsconfig, '.oxlintrc.json': rules, ...files };
  for (const [path, code] of Object.entries(all)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), code);
  }
  const oxlint = promisify(execFile)(
    process.execPath,
    [join(root, 'node_modules/oxlint/bin/oxlint'), '-f', 'json', '.'],
    { cwd: directory },
  );
  // It ends with 1 when it has found something.
  const { stdout } = await oxlint.catch((error: { readonly stdout: string }) => error);
  const found: Record<string, string[]> = Object.fromEntries(Object.keys(files).map((path) => [path, []]));
  for (const { code, filename } of Report.parse(JSON.parse(stdout)).diagnostics)
    found[filename]?.push(/\((.*)\)/.exec(code)?.[1] ?? code);
  return found;
}

describe('the lint rules', () => {
  it('look at every way to import', async () => {
    const imports = {
      'src/buildroot/type.ts': "import type { X } from '../tasks/adapter.ts';\nexport type Y = X;",
      'src/buildroot/one.ts': "export { x } from '../tasks/adapter.ts';",
      'src/buildroot/all.ts': "export * from '../tasks/adapter.ts';",
      'src/buildroot/late.ts': "export const x = await import('../tasks/adapter.ts');",
    };
    const allowed = { 'src/tasks/x.ts': "export { x } from '../buildroot/host.ts';" };

    const found = await lint({ ...imports, ...allowed });

    expect(found).toEqual({
      ...Object.fromEntries(Object.keys(imports).map((path) => [path, ['import-boundaries']])),
      'src/tasks/x.ts': [],
    });
  });

  it('find a container that is privileged, whatever the word is written in', async () => {
    const rule = 'no-privileged-containers';

    const found = await lint({
      'src/core/name.ts': 'export const spec = { Privileged: true };',
      'src/core/text.ts': "export const spec = { ['privileged']: true };",
      'src/core/template.ts': 'export const flag = `--privileged`;',
      'src/core/none.ts': 'export const spec = { capabilities: [] };',
    });

    expect(found).toEqual({
      'src/core/name.ts': [rule],
      'src/core/text.ts': [rule],
      'src/core/template.ts': [rule],
      'src/core/none.ts': [],
    });
  });

  it('find a signal that nobody aborts but `never`', async () => {
    const found = await lint({
      'src/core/never.ts': 'export const never = new AbortController().signal;',
      'src/core/own.ts': 'export const signal = new AbortController().signal;',
      'test/taken.test.ts': 'export const { signal } = new AbortController();',
      'scripts/held.ts':
        'const stop = new AbortController();\nexport const { signal } = stop;\nstop.abort();',
    });

    expect(found).toEqual({
      'src/core/never.ts': [],
      'src/core/own.ts': ['no-own-never'],
      'test/taken.test.ts': ['no-own-never'],
      'scripts/held.ts': [],
    });
  });

  it('find the spread of a literal, not that on a condition', async () => {
    const found = await lint({
      'src/core/plain.ts': 'const a = 1;\nexport const x = { ...{ a, b: 2 } };',
      'test/typed.test.ts': "export const x = { ...({ a: 'b' } as const), ...({ c: 1 } satisfies object) };",
      'scripts/sound.ts':
        'export const f = (y: object, a?: number) => ({ ...y, ...(a !== undefined && { a }), ...(a ? { b: a } : {}) });',
      'src/core/list.ts': 'export const list = [...[1, 2], 3];',
    });

    expect(found).toEqual({
      'src/core/plain.ts': ['no-spread-literal'],
      'test/typed.test.ts': ['no-spread-literal', 'no-spread-literal'],
      'scripts/sound.ts': [],
      'src/core/list.ts': [],
    });
  });

  it('know types: no promise is left alone, no case left out', async () => {
    const found = await lint({
      'test/a.ts': 'async function f(): Promise<void> {}\nexport function g(): void { f(); }',
      'test/b.ts':
        "export function g(x: 'a' | 'b'): number { switch (x) { case 'a': return 1; }\n return 2; }",
    });

    expect(found).toEqual({
      'test/a.ts': ['no-floating-promises'],
      'test/b.ts': ['switch-exhaustiveness-check'],
    });
  });
});
