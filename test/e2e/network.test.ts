import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { describeE2e, makeSrpm, surroundings } from './surroundings.ts';

describeE2e('a build whose policy asks for network', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;
  let directory: string;
  const server = createServer((socket) => socket.end('over the network\n'));

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    hub = await openDevHub();
    builder = await TestBuilder.start(hub);
    await builder.daemon.stop();
    await appendFile(join(builder.directory, 'adjutant.conf'), 'network_enabled = yes\n');
    await builder.restart();
    await builder.ensureRepo('td1-build');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.close();
    await builder[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  it('reaches it in %build and %generate_buildrequires, and the logs say so', async () => {
    const rules = [{ type: 'task_type', task_type: 'buildArch', image: surroundings().image, network: true }];
    await hub.running.change(({ state: { tables } }) => {
      const tag = tables.tags.find(({ name }) => name === 'td1-build');
      if (tag === undefined) throw new Error('there is no tag td1-build');
      const extra = { ...tag.extra, adjutant_image_policy: { version: '1.0', rules } };
      tables.tags.update(tag.id, { extra });
    });
    // A listening TCP server has this kind of address.
    const { port } = server.address() as AddressInfo;
    const spec = `BuildArch: noarch
%description
Asks the network.
%generate_buildrequires
read -r word rest < /dev/tcp/127.0.0.1/${port}
test "$word" = over && echo bash
%build
set +x
cat < /dev/tcp/127.0.0.1/${port}
id -u; grep CapEff /proc/self/status
%files
`;

    const build = await builder.build(await makeSrpm(directory, 'ask-network', spec));

    expect(build.fault).toBeNull();
    const { tree } = await builder.child(build, 'buildArch');
    const log = await builder.log(tree.id, 'build.log');
    expect(log).toContain('over the network\n1000\nCapEff:\t0000000000000000\n');
    const config = await builder.log(tree.id, 'mock_config.log');
    expect(config).toContain("config_opts['rpmbuild_networking'] = True");
    expect(config).toContain('rules[0] (task_type) of tag td1-build');
    expect(await builder.log(tree.id, 'root.log')).toContain(
      'opened by a policy: the network of this host (adjutant_image_policy.rules[0] (task_type) of tag td1-build)\n',
    );
    expect(await builder.leftovers()).toEqual([]);
  });

  it('is refused for good, scratch or not, where the host forbids it', async () => {
    await builder.daemon.stop();
    const path = join(builder.directory, 'adjutant.conf');
    // As it is where nobody has said anything.
    await writeFile(path, (await readFile(path, 'utf8')).replace('network_enabled = yes\n', ''));
    await builder.restart();

    const task = await builder.submit(
      await makeSrpm(directory, 'wants-network', 'BuildArch: noarch\n%description\nAsks.\n%files\n'),
    );

    const refusals = () => hub.running.change(({ state }) => state.tables.refusals.all());
    await expect.poll(refusals, { timeout: 120_000, interval: 500 }).toHaveLength(1);
    const [refusal] = await refusals();
    expect(refusal).toMatchObject({
      soft: false,
      msg: expect.stringMatching(/rules\[0\].* asks for network, which network_enabled forbids on this host/),
    });
    const client = await builder.login();
    await client.call('cancelTask', [task]);
    await client.logout();
    expect(await builder.leftovers()).toEqual([]);
  });
});
