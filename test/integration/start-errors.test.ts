import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FakeEngine } from '../support/fake-engine.ts';
import { FakeHub, fault } from '../support/fake-hub.ts';
import { keytab, keytabEntry } from '../support/keytab-bytes.ts';
import { toSourceRpm } from '../support/source-rpm.ts';

const cli = join(import.meta.dirname, '../../src/cli.ts');
const present = 'localhost/present:1';
const nobodyListens = 'http://127.0.0.1:9';

let dir: string;
let socket: string;
let hub: FakeHub;
let engine: FakeEngine;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'koji-adjutant-start-'));
  socket = join(dir, 'engine.sock');
  hub = await FakeHub.start();
  engine = await FakeEngine.listen(socket, [present]);
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

/** A kojid.conf that works, with other values or further keys. */
async function config(change: Readonly<Record<string, string>> = {}): Promise<string> {
  const values = {
    server: hub.url,
    topurl: `${nobodyListens}/kojifiles`,
    topdir: dir,
    workdir: join(dir, 'work'),
    user: 'b1',
    password: 'hush',
    ...change,
  };
  const file = join(dir, 'kojid.conf');
  await writeFile(
    file,
    `[kojid]\n${Object.entries(values)
      .map((pair) => `${pair.join(' = ')}\n`)
      .join('')}`,
  );
  return file;
}

type Environment = Readonly<Record<string, string | undefined>>;

async function run(args: readonly string[], env: Environment = {}) {
  const { promise, resolve } = Promise.withResolvers<{ code: unknown; output: string }>();
  const options = {
    env: {
      PATH: process.env['PATH'],
      CONTAINER_HOST: `unix://${socket}`,
      KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: present,
      ...env,
    },
  };
  execFile(process.execPath, [cli, ...args], options, (error, stdout, stderr) =>
    resolve({ code: error === null ? 0 : error.code, output: stdout + stderr }),
  );
  return promise;
}

const start = async (change: Parameters<typeof config>[0] = {}, env: Environment = {}) =>
  run(['-c', await config(change), '--fg', '--skip-main'], env);

describe('the daemon', () => {
  it('names every unknown key with file and line', async () => {
    const { code, output } = await start({ nonsense: '1', slepetime: '3' });

    expect(code).toBe(78);
    expect(output).toBe(
      `${dir}/kojid.conf:8: nonsense: unknown option; remove it\n` +
        `${dir}/kojid.conf:9: slepetime: unknown option; did you mean sleeptime?\n`,
    );
  });

  it.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, string>>, number, RegExp]>([
    [
      'a hub that is not there',
      { server: `${nobodyListens}/kojihub` },
      {},
      1,
      /cannot reach http:\/\/127\.0\.0\.1:9/,
    ],
    [
      'an engine that is not there',
      {},
      { CONTAINER_HOST: 'unix:///nonexistent' },
      1,
      /no podman service answers: \/nonexistent/,
    ],
    [
      'an engine that is not a unix socket',
      {},
      { CONTAINER_HOST: 'tcp://x:1' },
      78,
      /CONTAINER_HOST names "tcp:\/\/x:1", which is not a unix socket: .* podman has to run here/,
    ],
    [
      'a method to accept that there is not',
      {},
      { KOJI_ADJUTANT_ACCEPT: 'methods=build,newrepo' },
      78,
      /accept names newrepo, and this builder has no such task method; it has build /,
    ],
    [
      'an image that is not here',
      {},
      { KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: 'localhost/other' },
      78,
      /there is no image localhost\/other/,
    ],
    [
      'an image that is nowhere',
      {},
      { KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: 'r.invalid/x:1' },
      78,
      /cannot pull image r\.invalid\/x:1: check its name and tag/,
    ],
    [
      'an image that must not be pulled',
      {},
      { KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: 'r.invalid/x:1', KOJI_ADJUTANT_IMAGE_PULL_POLICY: 'never' },
      78,
      /the pull policy is "never": run "podman pull r\.invalid\/x:1"/,
    ],
  ])('says in one line what is wrong with %s', async (_what, change, env, code, message) => {
    expectOneLine(await start(change, env), code, message);
  });

  it('says in one line that the engine is older than supported, as rebuild and doctor do', async () => {
    const old = join(dir, 'old.sock');
    await using _engine = await FakeEngine.listen(old, [present], '', '3.4.4');
    const env = { CONTAINER_HOST: `unix://${old}` };
    const said =
      /podman 3\.4\.4 on \S+old\.sock is older than 4\.3, the oldest that is supported: update podman/;

    expectOneLine(await start({}, env), 78, said);

    const source = join(dir, 'x.src.rpm');
    await writeFile(source, toSourceRpm());
    await mkdir(join(dir, 'repo/repodata'), { recursive: true });
    await writeFile(join(dir, 'repo/repodata/repomd.xml'), '<repomd/>');
    const here = ['--packages', 'bash', '--cache-dir', join(dir, 'cache')];
    const rebuilt = await run(['rebuild', source, '--repo', join(dir, 'repo'), ...here], env);
    expect(rebuilt.output).toMatch(said);
    expect(rebuilt.code).toBe(78);

    const doctor = await run(['doctor', '-c', await config()], env);
    expect(doctor.output).toMatch(new RegExp(`FAIL  container engine: ${said.source}`));
    expect(doctor.output).not.toContain('This host can build');
    expect(doctor.code).toBe(1);
  });

  it('says in one line that the password is wrong', async () => {
    hub.on('login', fault(1002, 'invalid username or password'));

    expectOneLine(await start(), 78, /did not accept the password of user b1: invalid username or password/);
  });

  it('says in one line that the answer is no XML-RPC', async () => {
    hub.on('login', { status: 200, body: '<html>It works!</html>' });

    expectOneLine(await start(), 1, /does not answer like a Koji hub .*<html>It works!/);
  });

  it('names the script that makes the default image', async () => {
    const message =
      /there is no image localhost\/koji-adjutant-bootstrap:\w+ on this host: run scripts\/setup\.sh/;

    expectOneLine(await start({}, { KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: undefined }), 78, message);
  });

  it('says in one line that the certificate cannot be used', async () => {
    const cert = join(dir, 'client.pem');
    await writeFile(cert, pem('CERTIFICATE') + pem('PRIVATE KEY'));

    expectOneLine(await start({ cert, password: '' }), 78, /client\.pem \(option "cert"\) cannot be used/);
  });

  it('says in one line that there is no Kerberos on this host', async () => {
    await writeFile(join(dir, 'keytab'), keytab(keytabEntry('R', 'b1')));
    await writeFile(
      join(dir, 'curl'),
      '#!/bin/sh\necho "curl: option --negotiate: not supported" >&2; exit 2\n',
      { mode: 0o755 },
    );
    const kerberos = { user: '', password: '', krb_principal: 'b1@R', keytab: join(dir, 'keytab') };

    expectOneLine(
      await start(kerberos, { PATH: `${dir}:${process.env['PATH']}` }),
      78,
      /curl of this host cannot log in by Kerberos; install one with GSS-API/,
    );
    await writeFile(join(dir, 'keytab'), '');
    const { code, output } = await run(['check-config', '-c', await config(kerberos)]);
    expect(output).toContain(`${dir}/kojid.conf:9: keytab: ${dir}/keytab is not a keytab`);
    expect(code).toBe(78);
  });

  it('says in one line that the working directory cannot be made', async () => {
    expectOneLine(
      await start({ workdir: `${cli}/work` }),
      78,
      /cannot make .*correct option "workdir" or "state_dir"/,
    );
  });
});

/** One error, without a stack; warnings about the host that runs the test do not count. */
function expectOneLine(
  { code, output }: { readonly code: unknown; readonly output: string },
  expected: number,
  message: RegExp,
) {
  const lines = output.trimEnd().split('\n');
  const errors = lines.map((line) => LogLine.parse(JSON.parse(line))).filter(({ level }) => level >= 50);
  expect(errors).toMatchObject([{ level: 60, msg: expect.stringMatching(message) }]);
  expect(output).not.toContain('stack');
  expect(code).toBe(expected);
}

const LogLine = z.object({ level: z.number(), msg: z.string() });

function pem(what: string): string {
  return `-----BEGIN ${what}-----\nxx\n-----END ${what}-----\n`;
}

describe('the command line', () => {
  it.each([
    [['version'], 0, /^koji-adjutant \d+\.\d+\.\d+\n$/],
    [['help'], 0, /^Usage: koji-adjutant/],
    [['doctor', '--help'], 0, /^Usage: koji-adjutant doctor/],
    [['devhub'], 2, /required option '--dir <DIR>'/],
    [['chekc-config'], 2, /there is no command "chekc-config"/],
    [['--no-such-flag'], 2, /unknown option '--no-such-flag'/],
  ])('answers %j with exit code %d', async (args, code, output) => {
    const answer = await run(args);

    expect(answer.output).toMatch(output);
    expect(answer.code).toBe(code);
  });

  it('lets the doctor list what is wrong with the configuration', async () => {
    const { code, output } = await run(['doctor', '-c', await config({ nonsense: '1' })]);

    expect(output).toContain('FAIL  configuration: ');
    expect(code).toBe(1);
  });
});

describe('cache', () => {
  it('says that it is the cache of the daemon it wants to be told of, and where the other one is', async () => {
    const { code, output } = await run(['cache', '-c', await config({ sleeptime: 'often' })]);

    expect(code).toBe(78);
    expect(output).toMatch(
      /kojid\.conf:\d+: sleeptime: .*\n.*for that of rebuild and compare give --cache-dir/,
    );
  });
});
