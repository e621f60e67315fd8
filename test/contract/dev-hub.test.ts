import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { never } from '../../src/core/never.ts';
import { HubClient, type WatchedTask } from '../../src/devhub/client.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { type RunningDevHub, runDevHub } from '../../src/devhub/run.ts';
import { type SeedOptions, seedDevHub } from '../../src/devhub/seed.ts';
import { HubFault } from '../../src/hub/faults.ts';
import { encodeFault, encodeResponse } from '../../src/hub/xmlrpc/codec.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { toTinyRpm } from '../support/tiny-rpm.ts';

const comps = `<comps><group><id>build</id><packagelist>
  <packagereq>tool</packagereq></packagelist></group></comps>`;
const RepoRequest = z.looseObject({ request: z.looseObject({ id: z.int(), active: z.boolean() }) });
const Tasks = z.array(z.looseObject({ id: z.int(), method: z.string() }));

/** What the development hub adds to the rules of the real one: its seed, its state, its repositories without kojira. */
describe('development hub', () => {
  let root: string;
  let hub: RunningDevHub;
  let clock: FakeClock;
  let seed: SeedOptions;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'devhub-'));
    clock = new FakeClock();
    const distroRepo = join(root, 'distro');
    await mkdir(distroRepo);
    await writeFile(join(distroRepo, 'comps.xml'), comps);
    const tool = { version: '1.0', release: '1', arch: 'noarch', sourceRpm: 'tools-1.0-1.src.rpm' };
    for (const name of ['tool', 'tool-devel'])
      await writeFile(join(distroRepo, `${name}-1.0-1.noarch.rpm`), toTinyRpm({ name, ...tool }));
    seed = {
      distroRepo,
      tagName: 'td1',
      arches: 'x86_64',
      extra: { 'rpm.macro.dist': '.td1' },
      packages: ['hello'],
      builder: { name: 'builder', password: 'builder-pw', capacity: 2 },
      client: { name: 'client', password: 'client-pw' },
    };
    hub = await start();
    await seedDevHub(hub, seed);
  });
  afterEach(async () => {
    await hub.close();
    await rm(root, { recursive: true });
  });

  const start = () => runDevHub({ dir: join(root, 'hub'), port: 0, clock });
  const login = async ({ name, password }: { name: string; password: string }) => {
    const client = new HubClient(hub.url);
    await client.login(name, password);
    return client;
  };
  const loginBuilder = async () => {
    const builder = await login(seed.builder);
    await builder.call('exclusiveSession');
    await builder.call('host.updateHost', [0, true]);
    return builder;
  };

  it('offers the packages of a distribution to repositories', async () => {
    const builder = await loginBuilder();
    await seedDevHub(hub, seed);

    const [repo] = z.tuple([z.int(), z.int()]).parse(await builder.call('host.repoInit', ['td1-build']));

    const pkglist = await fetch(`${hub.filesUrl}/repos/td1-build/${repo}/x86_64/pkglist`);
    const groups = await fetch(`${hub.filesUrl}/repos/td1-build/${repo}/groups/comps.xml`);
    const path = 'toplink/packages/tools/1.0/1/noarch';
    expect(await pkglist.text()).toBe(`${path}/tool-1.0-1.noarch.rpm\n${path}/tool-devel-1.0-1.noarch.rpm\n`);
    expect(await groups.text()).toContain('<packagereq type="mandatory">tool</packagereq>');
  });

  it('leaves the packages of a distribution in an external repository when told to', async () => {
    await writeFile(join(seed.distroRepo, 'readme'), 'published');
    const externalRepo = { name: 'td-external', mergeMode: 'bare' } as const;
    const td2 = { ...seed, tagName: 'td2', externalRepo };
    await seedDevHub(hub, td2);
    await seedDevHub(hub, td2);
    const builder = await loginBuilder();

    const [repo] = z.tuple([z.int(), z.int()]).parse(await builder.call('host.repoInit', ['td2-build']));
    const externals = await builder.call('getExternalRepoList', ['td2-build']);

    const pkglist = await fetch(`${hub.filesUrl}/repos/td2-build/${repo}/x86_64/pkglist`);
    const groups = await fetch(`${hub.filesUrl}/repos/td2-build/${repo}/groups/comps.xml`);
    expect(await pkglist.text()).toBe('');
    expect(await groups.text()).toContain('<packagereq type="mandatory">tool</packagereq>');
    const url = `${hub.filesUrl}/td-external/`;
    expect(externals).toMatchObject([{ external_repo_name: 'td-external', url, merge_mode: 'bare' }]);
    expect(await (await fetch(`${url}readme`)).text()).toBe('published');
  });

  it('continues after a restart where it was, sessions and call numbers included', async () => {
    const builder = await loginBuilder();
    const client = await login(seed.client);
    const task = z.int().parse(await client.call('makeTask', ['sleep', [1]]));
    await builder.call('host.openTask', [task]);
    const { session } = builder;
    await hub.close();
    hub = await start();

    const again = new HubClient(hub.url, session);

    expect(await again.call('host.getHostTasks')).toMatchObject([{ id: task }]);
    await expect(again.callNumbered(0, 'echo')).rejects.toMatchObject({ faultCode: 1008 });
  });

  it('makes a newRepo task for a request, and once more when that has failed', async () => {
    const builder = await loginBuilder();
    const client = await login(seed.client);
    const { request } = RepoRequest.parse(await client.call('repo.request', ['td1-build']));
    const failNext = async () => {
      const [task] = Tasks.parse(await builder.call('host.getTasks'));
      if (task === undefined) throw new Error('there is no task');
      await builder.call('host.openTask', [task.id]);
      await builder.call('host.failTask', [task.id, encodeFault(1000, 'no')]);
      return [
        task.method,
        RepoRequest.parse(await client.call('repo.checkRequest', [request.id])).request.active,
      ];
    };

    expect(await failNext()).toEqual(['newRepo', true]);
    expect(await failNext()).toEqual(['newRepo', false]);
    expect(await builder.call('host.getTasks')).toEqual([]);
  });

  it('lets a client build a source package and watch', async () => {
    const builder = await loginBuilder();
    const client = await login(seed.client);
    const srpm = join(root, 'hello-1.0-1.src.rpm');
    await writeFile(
      srpm,
      toTinyRpm({ name: 'hello', version: '1.0', release: '1', arch: 'noarch', sourceRpm: null }),
    );
    const signal = never;
    const task = await client.buildSrpm(srpm, 'td1', { scratch: true }, signal);
    const seen: WatchedTask[] = [];
    await builder.call('host.openTask', [task]);

    const last = await client.watchTask(task, {
      clock: {
        now: () => clock.now(),
        uptime: () => clock.uptime(),
        sleep: async (ms) => {
          clock.slept.push(ms);
          if (clock.slept.length === 1)
            await builder.call('host.subtask', ['rebuildSRPM', [], task], { label: 'srpm' });
          if (clock.slept.length === 3) await builder.call('host.closeTask', [task, encodeResponse(null)]);
        },
      },
      intervalMs: 500,
      signal,
      onChange: (tree) => seen.push(tree),
    });

    expect(last.state).toBe(taskState.CLOSED);
    expect(seen.map((tree) => [tree.state, tree.children.map((child) => child.label)])).toEqual([
      [taskState.OPEN, []],
      [taskState.OPEN, ['srpm']],
      [taskState.CLOSED, ['srpm']],
    ]);
    expect(clock.slept).toEqual([500, 500, 500]);
  });

  it('stops watching when told to', async () => {
    const client = await login(seed.client);
    const task = z.int().parse(await client.call('makeTask', ['sleep', [1]]));
    const stop = new AbortController();
    const onChange = () => stop.abort(new Error('enough'));

    const watching = client.watchTask(task, { clock, intervalMs: 500, signal: stop.signal, onChange });

    await expect(watching).rejects.toThrow('enough');
  });

  it('uploads files of more than one chunk', async () => {
    const client = await login(seed.client);
    const content = Buffer.alloc(2.5 * 1024 * 1024, 'koji');
    await writeFile(join(root, 'large'), content);

    const path = await client.uploadFile(join(root, 'large'), 'cli-build/large', never);

    const stored = await (await fetch(`${hub.filesUrl}/work/${path}`)).arrayBuffer();
    expect(Buffer.from(stored).equals(content)).toBe(true);
  });

  it('tells what is missing from a distribution', async () => {
    await rm(join(seed.distroRepo, 'comps.xml'));

    await expect(seedDevHub(hub, seed)).rejects.toThrow(/has no comps\.xml/);
  });

  it('refuses to share its port', async () => {
    const port = Number(new URL(hub.url).port);

    await expect(runDevHub({ dir: join(root, 'second'), port, clock })).rejects.toThrow(/EADDRINUSE/);
  });

  describe('files', () => {
    it('follow links and list directories', async () => {
      await writeFile(join(root, 'outside'), 'linked to');
      await symlink(join(root, 'outside'), join(hub.topdir, 'work', 'link'));

      expect(await (await fetch(`${hub.filesUrl}/work/link`)).text()).toBe('linked to');
      expect(await (await fetch(`${hub.filesUrl}/work/`)).text()).toContain('>link</a>');
    });

    it('have names with all characters', async () => {
      await writeFile(join(hub.topdir, 'work', 'c++ 100%'), 'x');

      expect((await fetch(`${hub.filesUrl}/work/${encodeURIComponent('c++ 100%')}`)).status).toBe(200);
    });

    it('say how long they are without being read', async () => {
      await writeFile(join(hub.topdir, 'work', 'file'), 'hello');

      const response = await fetch(`${hub.filesUrl}/work/file`, { method: 'HEAD' });

      expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
        200,
        '5',
        '',
      ]);
    });

    it('end at the top directory', async () => {
      const { port } = new URL(hub.url);
      const status = await new Promise((resolve, reject) => {
        const path = '/kojifiles/%2e%2e/state.jsonl';
        request({ host: '127.0.0.1', port, path }, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end();
      });

      expect(status).toBe(404);
    });

    it('are not there when they are not there', async () => {
      expect((await fetch(`${hub.filesUrl}/none`)).status).toBe(404);
    });
  });

  it('names the fault of a refused call', async () => {
    const client = await login(seed.client);

    await expect(client.call('nosuchmethod')).rejects.toBeInstanceOf(HubFault);
  });
});
