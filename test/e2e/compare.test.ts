import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeCall } from '../../src/hub/xmlrpc/decode.ts';
import { readOnlyMethods } from '../../src/standalone/compare/read-only-hub.ts';
import { childOf, type Ended, TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { arch, describeE2e, makeSrpm, srpm, surroundings } from './surroundings.ts';

/** A hub seen through a door that writes down what is called. */
async function openDoor(hubUrl: string): Promise<{ url: string; methods: string[]; server: Server }> {
  const methods: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = await buffer(request);
      methods.push(decodeCall(body).method);
      const answer = await fetch(hubUrl, {
        method: 'POST',
        headers: { 'Content-Type': 'text/xml' },
        body,
      });
      response.writeHead(answer.status, { 'Content-Type': 'text/xml' });
      response.end(Buffer.from(await answer.arrayBuffer()));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A listening TCP server has this kind of address.
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/kojihub`, methods, server };
}

const dynamic = `BuildArch: noarch
%description
Finds out what it needs.
%generate_buildrequires
echo bash
%install
mkdir -p %{buildroot}/opt
echo data > %{buildroot}/opt/data
ln -s data %{buildroot}/opt/link
%post
true
%files
%config(noreplace) %attr(0640, root, bin) /opt/data
/opt/link
`;

describeE2e('koji-adjutant compare', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;
  let door: Awaited<ReturnType<typeof openDoor>>;
  let directory: string;
  let hello: Ended;
  let findsOut: Ended;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    await mkdir(join(directory, 'tmp'));
    hub = await openDevHub();
    builder = await TestBuilder.start(hub);
    door = await openDoor(hub.url);
    await builder.ensureRepo('td1-build');
    const source = await makeSrpm(directory, 'finds-out', dynamic);
    [hello, findsOut] = await Promise.all([builder.build(srpm('hello')), builder.build(source)]);
  });
  afterAll(async () => {
    door.server.close();
    await builder[Symbol.asyncDispose]();
    await koji('cache', 'trim', '--all', '--cache-dir', join(directory, 'koji-adjutant'));
    await rm(directory, { recursive: true });
  });

  const compare = (...args: string[]) =>
    koji('compare', ...args, '--hub', door.url, '--topurl', hub.filesUrl);
  async function koji(...args: string[]) {
    const { socket, image } = surroundings();
    const command = [join(import.meta.dirname, '../../src/cli.ts'), ...args];
    const env = {
      ...process.env,
      TMPDIR: join(directory, 'tmp'),
      XDG_CACHE_HOME: directory,
      KOJI_ADJUTANT_PODMAN_SOCKET: socket,
      KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: image,
    };
    return promisify(execFile)(process.execPath, command, { env }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  }
  const buildArchOf = ({ tree }: Ended) => String(childOf(tree, 'buildArch').id);
  const tables = () =>
    hub.running.change(({ state }) =>
      JSON.stringify(
        Object.entries(state.tables).map(([name, table]) => [
          name,
          // The builder checks in all the time, and the hub looks for work to give it.
          ['hosts', 'sessions', 'schedulerRuns'].includes(name) ? [] : table.all(),
        ]),
      ),
    );

  it('finds no difference to a build of this builder, and leaves no trace on the hub', async () => {
    const before = await tables();
    const json = join(directory, 'report.json');
    const output = join(directory, 'kept');

    const run = await compare(String(hello.tree.id), '--json', json, '--output', output);

    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain('no difference outside the whitelist');
    expect(await tables()).toBe(before);
    expect(door.methods.filter((method) => !readOnlyMethods.has(method))).toEqual([]);
    expect(JSON.parse(await readFile(json, 'utf8'))).toMatchObject({
      equal: true,
      tasks: [{ arch, packages: expect.arrayContaining(['hello-1.0-1.td1.src.rpm']) }],
    });
    expect(await readdir(join(output, buildArchOf(hello)))).toEqual(
      expect.arrayContaining([`hello-1.0-1.td1.${arch}.rpm`, 'build.log', 'root.log']),
    );
  });

  it('finds none in a package with generated build requirements, and leaves nothing on this host', async () => {
    const run = await compare(buildArchOf(findsOut));

    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(await builder.leftovers()).toEqual([]);
    expect(await readdir(join(directory, 'tmp'))).toEqual([]);
    expect(await readdir(join(directory, 'koji-adjutant/tasks'))).toEqual([]);
  });

  it('shows what another configuration changes', async () => {
    const config = join(directory, 'other.conf');
    const lines = ['[kojid]', `server = ${hub.url}`, `topurl = ${hub.filesUrl}`, 'user = u', 'password = p'];
    const site = ['vendor = Somebody', 'packager = E2E Packager', 'distribution = E2E Distribution'];
    await writeFile(config, [...lines, ...site, ''].join('\n'));

    const run = await compare(buildArchOf(findsOut), '-c', config);

    expect(run.code).toBe(1);
    expect(run.stdout.match(/DIFFERENT .*/g)).toEqual([
      'DIFFERENT finds-out-1.0-1.td1.noarch.rpm: vendor',
      'DIFFERENT finds-out-1.0-1.td1.src.rpm: vendor',
    ]);
  });

  it('says why it cannot compare', async () => {
    const rebuild = childOf(findsOut.tree, 'rebuildSRPM').id;

    expect(await compare(String(rebuild))).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `koji-adjutant compare: task ${rebuild} is rebuildSRPM (CLOSED) with no buildArch below it; name a buildArch, or a build that has one\n`,
    });
    expect(await compare('no-such-build-1-1')).toMatchObject({
      code: 2,
      stderr: 'koji-adjutant compare: the hub has no build no-such-build-1-1\n',
    });
  });
});
