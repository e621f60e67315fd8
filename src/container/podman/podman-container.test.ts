import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { keptLog } from '../../../test/support/silent-log.ts';
import { never } from '../../core/never.ts';
import { Engine } from './api/client.ts';
import { RootMounts } from './create/root-mounts.ts';
import { OomAccounting } from './limits/oom-accounting.ts';
import { PodmanContainer } from './podman-container.ts';

/** More than the kernel ever gives out. */
const nobody = 2 ** 30;

/** A container of an engine that says this of its state, whatever becomes of it, and refuses its removal with these words first. */
async function openContainer(state: object, refusals: readonly string[] = []) {
  const left = [...refusals];
  const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-container-'));
  const asked: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const path = new URL(request.url ?? '', 'http://engine').pathname.replace(/^.*\/containers\/c1/, '');
    asked.push(`${request.method} ${path}`);
    const State = { ExitCode: 0, OOMKilled: false, StartedAt: '', FinishedAt: '', ...state };
    const GraphDriver = { Name: 'overlay' };
    if (path === '/json')
      response.end(JSON.stringify({ Id: 'c1', Name: 'one', State, Config: {}, GraphDriver }));
    else if (request.method === 'DELETE' && left.length > 0)
      response.writeHead(500).end(JSON.stringify({ message: left.shift() }));
    else response.writeHead(204).end();
  });
  const socketPath = join(directory, 'engine.sock');
  server.listen(socketPath);
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  });
  const clock = new FakeClock();
  // Requests are real, and have no limit on a clock whose sleeps take no time.
  const engine = new Engine({
    socketPath,
    clock: { ...clock, sleep: pending, uptime: () => 0, now: () => 0 },
    timeoutMs: 1,
    reconnectMs: 0,
  });
  const { log, lines } = keptLog();
  const container = new PodmanContainer({
    engine,
    socketPath,
    clock,
    log,
    roots: new RootMounts(engine, clock),
    id: 'c1',
    name: 'one',
    logPath: join(directory, 'one.log'),
    limits: { pids: 1 },
    kills: new OomAccounting(async () => 0),
    lentBy: [],
    root: 'stays',
    wasStarted: true,
    held: new AsyncDisposableStack(),
  });
  await container.start(never);
  return { container, clock, lines, asked };
}

function pending(_ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<void>();
  signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise;
}

describe('a container that has ended and that podman calls running', () => {
  const state = { Status: 'running', Pid: nobody, ConmonPid: process.pid };

  it('is an error in the log after 30 s, is killed after 60 s, and its end is not known', async () => {
    const { container, clock, lines, asked } = await openContainer(state);
    const since = clock.uptime();

    await expect(container.wait(never)).rejects.toMatchObject({
      code: 'end-unseen',
      blame: 'builder',
      message: expect.stringMatching(
        /^container one: its main process \d+ is gone for 1 min 0 s, and podman calls it running$/,
      ),
    });

    expect(clock.uptime() - since).toBeGreaterThanOrEqual(60_000);
    expect(clock.uptime() - since).toBeLessThan(65_000);
    const seen = expect.stringMatching(
      /^running by podman's word \S+ s ago; .*gone.*; monitored by process \d+ \w/,
    );
    expect(lines).toMatchObject([
      { level: 50, seen, msg: expect.stringContaining('is gone for 30 s, and podman calls it running') },
      { level: 50, seen, msg: expect.stringMatching(/: given up$/) },
    ]);
    expect(asked).toContain('POST /kill');
  });

  it('is not given up while it can be reached', async () => {
    const { container, lines } = await openContainer({
      Status: 'running',
      Pid: process.pid,
      ConmonPid: process.pid,
    });
    const leave = new AbortController();
    const waiting = container.wait(leave.signal);
    await new Promise((resolve) => setTimeout(resolve, 0));
    leave.abort(new Error('enough'));

    await expect(waiting).rejects.toThrow('enough');
    expect(lines).toEqual([]);
  });
});

describe('a container of which podman cannot tell how it has ended', () => {
  it('has an end that is not known', async () => {
    const { container } = await openContainer({ Status: 'exited', ExitCode: -1 });

    await expect(container.wait(never)).rejects.toMatchObject({ code: 'end-unseen' });
  });
});

describe('a container that does not end although it is killed', () => {
  it('is not waited for longer than a minute', async () => {
    const { container } = await openContainer({
      Status: 'running',
      Pid: process.pid,
      ConmonPid: process.pid,
    });

    await expect(container.stop(10)).rejects.toMatchObject({
      code: 'end-unseen',
      message: expect.stringMatching(
        /^container one has not ended 60 s after it was killed: running by podman's word/,
      ),
    });
  });
});

describe('a container whose monitor was killed', () => {
  it.each([
    'cannot remove container c1 as it could not be stopped: container c1 conmon exited prematurely, exit code could not be retrieved: internal libpod error',
    'container state improper',
    'no exit file',
  ])('is removed though podman says at first: %s', async (said) => {
    const { container, asked } = await openContainer({ Status: 'running' }, [said]);

    await container[Symbol.asyncDispose]();

    expect(asked.filter((one) => one.startsWith('DELETE'))).toHaveLength(2);
  });

  it('stays where podman has another reason', async () => {
    const { container } = await openContainer({ Status: 'running' }, ['device or resource busy']);

    await expect(container[Symbol.asyncDispose]()).rejects.toThrow('device or resource busy');
  });
});
