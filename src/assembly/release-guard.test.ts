import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, watch, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let area: string;

beforeEach(async () => {
  area = await mkdtemp(join(tmpdir(), 'release-guard-'));
  await mkdir(join(area, 'journal/tasks'), { recursive: true });
});
afterEach(() => rm(area, { recursive: true, force: true }));

/** A process that has a guard, which in the end tells its pid and then whether it released something. */
async function guarded(then: string) {
  const guard = JSON.stringify(join(import.meta.dirname, 'release-guard.ts'));
  const command = `['/bin/sh', '-c', 'echo released >${area}/new; mv ${area}/new ${area}/end', 'sh']`;
  const program = `
    import { ReleaseGuard } from ${guard};
    const guard = await ReleaseGuard.start('${area}', 1, () => ${command});
    process.stdin.resume();
    process.stdin.once('data', async () => { ${then} });
    console.log('guarded');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

/** Resolves when a file appears in the area. */
async function appears(name: string): Promise<string> {
  const changes = watch(area, { signal: AbortSignal.timeout(20_000) });
  for await (const { filename } of changes) if (filename === name) break;
  return readFile(join(area, name), 'utf8');
}

describe('ReleaseGuard', () => {
  it('releases what a process that was killed has left', async () => {
    const child = await guarded('');
    const released = appears('end');

    child.kill('SIGKILL');

    expect(await released).toBe('released\n');
  });

  it('releases what a process that has ended has left to the next', async () => {
    await writeFile(join(area, 'journal/tasks/7.jsonl'), '');
    const child = await guarded('await guard[Symbol.asyncDispose](); process.exit()');
    const released = appears('end');

    child.stdin.write('end\n');

    expect(await released).toBe('released\n');
  });

  it('goes without a word when nothing is left', async () => {
    const child = await guarded('await guard[Symbol.asyncDispose](); process.stdin.destroy()');
    const guard = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).trim();

    child.stdin.write('end\n');
    const [code] = await once(child, 'exit');

    expect(code).toBe(0);
    await expect
      .poll(() => readFile(`/proc/${guard}/cmdline`, 'utf8').catch(() => 'gone'), { timeout: 10_000 })
      .toMatch(/^(gone)?$/);
    await expect(readFile(join(area, 'end'))).rejects.toThrow('ENOENT');
  });
});
