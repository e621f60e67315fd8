import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { endOrphan } from './conmon-cleanup.ts';

/** What a monitor waits for. It is what it says it is when it has said so: until then it has its monitor's words. */
const container = 'sh -c "echo ready; exec sleep 600"';
const cleanup = 'sh -c "echo ready; sleep 600; :" cleanup';

/** A process with the command line of a monitor, that ends when its only child has. */
async function startMonitor(id: string, child: string, as: readonly string[] = []) {
  const directory = await mkdtemp(join(tmpdir(), 'orphan-'));
  await chmod(directory, 0o755);
  const runtime = join(directory, 'runtime');
  await writeFile(runtime, `#!/bin/sh\necho "$@" >> ${directory}/told\n`);
  await chmod(runtime, 0o755);
  const conmon = join(directory, 'conmon');
  await writeFile(conmon, `#!/bin/sh\n${child} &\nwait\n`);
  await chmod(conmon, 0o755);
  // Handed over in the environment: whoever starts it must not be found by its words.
  const [program = '', ...args] = [...as, 'sh', '-c', 'exec $MONITOR'];
  const monitor: ChildProcess = spawn(program, args, {
    env: { ...process.env, MONITOR: `${conmon} -c ${id} -r ${runtime} --exit-dir ${directory}` },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  onTestFinished(async () => {
    if (monitor.exitCode === null && monitor.pid !== undefined) process.kill(-monitor.pid, 'SIGKILL');
    await rm(directory, { recursive: true });
  });
  if (monitor.stdout !== null) await once(monitor.stdout, 'data');
  return { monitor, told: join(directory, 'told') };
}

describe('endOrphan', () => {
  it('ends a monitor whose container waits for a start that nobody will give, and has the runtime forget it', async () => {
    const { monitor, told } = await startMonitor('0rphan', container);
    const ended = once(monitor, 'exit');

    await endOrphan('0rphan', systemClock);

    await ended;
    expect(await readFile(told, 'utf8')).toBe('delete --force 0rphan\n');
  });

  it('leaves one alone that is about to end', async () => {
    const { monitor, told } = await startMonitor('3nding', cleanup);

    await endOrphan('3nding', systemClock);

    expect(monitor.exitCode).toBeNull();
    expect(existsSync(told)).toBe(false);
  });

  it.skipIf(process.getuid?.() !== 0).each([
    ['in a container', ['unshare', '--pid', '--fork']],
    ['of another user', ['setpriv', '--reuid=65534', '--clear-groups']],
  ])('believes no process %s that calls itself one (only root can make them)', async (_what, as) => {
    const { monitor, told } = await startMonitor('f4ke', container, as);

    await endOrphan('f4ke', systemClock);

    expect(monitor.exitCode).toBeNull();
    expect(existsSync(told)).toBe(false);
  });

  it('finds nothing of a container that is gone', async () => {
    await expect(endOrphan('g0ne', systemClock)).resolves.toBeUndefined();
  });
});
