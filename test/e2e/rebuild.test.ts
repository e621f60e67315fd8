import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { arch, describeE2e, Podman, srpm, surroundings } from './surroundings.ts';

/** The files of a directory behind http, until the test ends; gives the URL. */
async function serve(directory: string): Promise<string> {
  const server = createServer((request, response) => {
    const file = createReadStream(join(directory, decodeURIComponent(request.url ?? '')));
    file.on('error', () => response.writeHead(404).end()).pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // A listening TCP server has this kind of address.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Its containers that are still there. */
  readonly containers: readonly string[];
}

describeE2e('koji-adjutant rebuild', () => {
  let directory: string;
  const cache = () => join(directory, 'cache');
  const repo = () => join(surroundings().distribution, 'repo');

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
  });
  afterAll(async () => {
    await run('cache', 'trim', '--all');
    await rm(directory, { recursive: true });
  });

  function start(command: string, ...args: string[]): ChildProcess {
    return startWith('ignore', command, ...args);
  }

  function startWith(input: 'ignore' | 'pipe', command: string, ...args: string[]): ChildProcess {
    const { socket, image } = surroundings();
    const cli = join(import.meta.dirname, '../../src/cli.ts');
    const given = [cli, command, ...args, '--cache-dir', cache()];
    return spawn(process.execPath, given, {
      cwd: directory,
      env: {
        ...process.env,
        KOJI_ADJUTANT_PODMAN_SOCKET: socket,
        KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: image,
      },
      stdio: [input, 'pipe', 'pipe'],
    });
  }

  async function ended(child: ChildProcess): Promise<Ended> {
    const { stdout, stderr, pid } = child;
    if (stdout === null || stderr === null) throw new Error('the process has no pipes');
    const [said, complained, [code]] = await Promise.all([text(stdout), text(stderr), once(child, 'close')]);
    const podman = new Podman(surroundings().socket, `rebuild-${hostname()}-${pid}`);
    return { code, stdout: said, stderr: complained, containers: await podman.containers() };
  }

  const run = (command: string, ...args: string[]): Promise<Ended> => ended(start(command, ...args));
  const rebuild = (name: string, result: string, ...more: string[]) =>
    run('rebuild', srpm(name), '--macro', 'dist=.td1', '--result', join(directory, result), ...more);
  const read = (...path: string[]) => readFile(join(directory, ...path), 'utf8');
  /** Names of the containers that did something, as `state.log` has them. */
  const steps = async (result: string) =>
    (await read(result, 'state.log')).match(/(?<=Start: ).*/g)?.map(String) ?? [];
  /** What a process leaves in the shared area besides the cache. */
  const remains = async () => [
    ...(await readdir(join(cache(), 'tasks'))),
    ...(await readdir(join(cache(), 'users'))),
    ...(await readdir(join(cache(), 'containers'))),
  ];

  it('builds with packages of a directory, and the next time with what is there', async () => {
    const first = await rebuild('hello', 'first', '--repo', repo());

    expect(first).toMatchObject({ code: 0, stderr: '', containers: [] });
    const rpm = `hello-1.0-1.td1.${arch}.rpm`;
    expect(first.stdout).toContain(`\n${join(directory, 'first', rpm)}\n`);
    expect(await readdir(join(directory, 'first'))).toEqual(
      expect.arrayContaining([rpm, 'hello-1.0-1.td1.src.rpm', 'build.log', 'root.log', 'installed_pkgs.log']),
    );
    expect(await steps('first')).toEqual(
      expect.arrayContaining(['choose packages for @build', 'install packages for @build']),
    );

    const second = await rebuild('hello', 'second', '--repo', pathToFileURL(repo()).href);

    expect(second).toMatchObject({ code: 0, stderr: '', containers: [] });
    expect(await steps('second')).toEqual(['rpmbuild']);
    expect(await remains()).toEqual([]);
  });

  it('finds the same packages behind http prepared, too, when that server was asked which they are', async () => {
    expect(await rebuild('hello', 'http', '--repo', await serve(repo()))).toMatchObject({
      code: 0,
      stderr: '',
    });

    expect(await steps('http')).toEqual([
      'choose packages for @build',
      'choose packages for build requirements',
      'rpmbuild',
    ]);
  });

  it('ends with 1 when the package fails, and says which log tells why', async () => {
    const failed = await rebuild('fail-compile', 'failed', '--repo', repo());

    expect(failed).toMatchObject({ code: 1, stderr: '', containers: [] });
    expect(failed.stdout).toContain('exited with status 1; see build.log or root.log');
    expect(failed.stdout).toContain("'undeclared_thing' undeclared");
    expect(await read('failed', 'build.log')).toContain("'undeclared_thing' undeclared");
    expect(await remains()).toEqual([]);
  });

  it('leaves nothing when it is interrupted', async () => {
    const child = start(
      'rebuild',
      srpm('forever'),
      '--repo',
      repo(),
      '--result',
      join(directory, 'stopped'),
      '-v',
    );
    const end = ended(child);
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (bytes: Buffer) => {
        if (bytes.includes('Executing(%build)')) resolve();
      });
    });

    child.kill('SIGINT');

    expect(await end).toMatchObject({ code: 130, containers: [] });
    expect(await remains()).toEqual([]);
  });

  it('removes what a killed one has left', async () => {
    const child = start(
      'rebuild',
      srpm('forever'),
      '--repo',
      repo(),
      '--result',
      join(directory, 'killed'),
      '-v',
    );
    const end = ended(child);
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (bytes: Buffer) => {
        if (bytes.includes('Executing(%build)')) resolve();
      });
    });
    child.kill('SIGKILL');
    expect((await end).containers).not.toEqual([]);

    await rebuild('hello', 'after', '--repo', repo());

    const podman = new Podman(surroundings().socket, `rebuild-${hostname()}-${child.pid}`);
    expect(await podman.containers()).toEqual([]);
    expect(await remains()).toEqual([]);
  });

  it('says what is wrong with what it was given', async () => {
    expect(await rebuild('hello', 'x', '--repo', repo(), '--group', 'nope')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('the repo has no package group "nope", but "bootstrap", "build"'),
    });
    expect(await rebuild('no-such', 'x', '--repo', repo())).toMatchObject({ code: 2 });
    expect(await rebuild('hello', 'x', '--repo', directory)).toMatchObject({ code: 2 });
    expect(await rebuild('hello', 'x', '--repo', repo(), '--image', 'localhost/none')).toMatchObject({
      code: 78,
    });
  });

  it('enters the buildroot of a build that has failed, and leaves nothing of it', async () => {
    const args = [srpm('fail-compile'), '--result', join(directory, 'shell'), '--repo', repo(), '--shell'];
    const child = startWith('pipe', 'rebuild', ...args);
    child.stdin?.end(
      'id; ls /sys/class/net; grep CapBnd /proc/self/status; ls ~/build/SPECS; touch /usr/x\n',
    );

    const { code, stdout, containers } = await ended(child);

    expect(code).toBe(1);
    expect(stdout).toContain('\n  rpmbuild -bb --target ');
    expect(stdout).toMatch(/uid=1000\(mockbuild\).*\nlo\nCapBnd:\t0+\nfail-compile\.spec\n/);
    expect(containers).toEqual([]);
    expect(await readdir(join(cache(), 'cache/failed'))).toEqual([]);
    expect(await remains()).toEqual([]);
  });
});
