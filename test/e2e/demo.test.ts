import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { arch, describeE2e, srpm, surroundings } from './surroundings.ts';

const source = join(import.meta.dirname, '../../src');

describeE2e('the demo', () => {
  let state: string;

  beforeAll(async () => {
    state = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
  });
  afterAll(async () => {
    await rm(state, { recursive: true });
  });

  /** Runs the program behind scripts/demo.sh; interrupts it, once, when what it has written so far is enough. */
  async function demo(name: string, isEnough: (text: string) => boolean = () => false) {
    const { socket, distribution } = surroundings();
    const daemon = [process.execPath, join(source, 'cli.ts')];
    const args = [join(source, 'demo/main.ts'), state, distribution, srpm(name), ...daemon];
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], CONTAINER_HOST: `unix://${socket}` };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let interrupted = false;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (!interrupted && isEnough(text)) interrupted = child.kill('SIGINT');
      });
    const code = await new Promise((resolve) => child.once('close', resolve));
    return { code, text };
  }

  it('shows the tasks and their steps, and keeps packages and logs', async () => {
    const { code, text } = await demo('hello');

    expect(code).toBe(0);
    expect(text).toMatch(/^ {2}newRepo demo-build: closed, \d+\.\d s$/m);
    expect(text).toMatch(/^ {2}rebuildSRPM noarch: install packages for @srpm-build, \d+\.\d s$/m);
    expect(text).toMatch(/^ {2}build hello-1\.0-1\.td1\.src\.rpm: closed, \d+\.\d s$/m);
    const kept = join(state, 'demo/1');
    expect(text).toContain(`rpm -qlp ${kept}/rpms/hello-1.0-1.td1.${arch}.rpm`);
    expect((await readdir(kept)).sort()).toEqual(['logs', 'rpms']);
    expect((await readdir(join(kept, 'rpms'))).sort()).toEqual([
      'hello-1.0-1.td1.src.rpm',
      `hello-1.0-1.td1.${arch}.rpm`,
      `hello-debuginfo-1.0-1.td1.${arch}.rpm`,
    ]);
    expect((await readdir(join(kept, 'logs'))).sort()).toEqual([
      `buildArch-${arch}`,
      'daemon.log',
      'rebuildSRPM',
    ]);
  });

  it('ends a failed build with its fault and the end of the log to read', async () => {
    const { code, text } = await demo('missing-br');

    expect(code).toBe(1);
    expect(text).toContain(
      'Failed: error building package (arch noarch), exited with status 30; see root.log for more information',
    );
    expect(text).toMatch(/The end of root\.log of buildArch:.*no-such-package >= 1/s);
  });

  it('stops all that it has started when it is interrupted', async () => {
    const { code, text } = await demo('forever', (output) => output.includes('rebuildSRPM noarch: open'));

    expect(code).toBe(130);
    expect(text).toContain('stopped by SIGINT');
    const [, daemon] = /daemon +process (\d+)/.exec(text) ?? [];
    expect(existsSync(`/proc/${daemon}`)).toBe(false);
    expect(await readdir(join(state, 'demo/3'))).toEqual(['logs']);
  });
});
