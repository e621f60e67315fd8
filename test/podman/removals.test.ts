import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { collectFiles } from '../../src/buildroot/collect.ts';
import type { BuildrootHost } from '../../src/buildroot/containers.ts';
import { hubRepo } from '../../src/buildroot/package-repos.ts';
import { TagRoot } from '../../src/buildroot/tag-root.ts';
import { LateRemovals } from '../../src/container/late-removals.ts';
import type { Container } from '../../src/container/manager.ts';
import { PodmanManager } from '../../src/container/podman/podman-manager.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createLogger } from '../../src/core/logger.ts';
import { noMeter } from '../../src/core/meter.ts';
import { machineArch } from '../../src/default-image.ts';
import { noHistory } from '../../src/journal/history.ts';
import { emptyCache, site, TextLogs } from '../support/root-bench.ts';
import { testUlimits } from './container-harness.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const socketPath = process.env['KOJI_ADJUTANT_TEST_ENGINE_SOCKET'] ?? '';
const image = process.env['KOJI_ADJUTANT_TEST_IMAGE'] ?? '';
const dnf5Image = process.env['KOJI_ADJUTANT_TEST_DNF5_IMAGE'] ?? '';
const noDnf5 = dnf5Image === '' ? ': KOJI_ADJUTANT_TEST_DNF5_IMAGE is not set (scripts/test.sh)' : '';

function whatIsMissing(): string {
  if (socketPath === '' || image === '')
    return ': KOJI_ADJUTANT_TEST_ENGINE_SOCKET and KOJI_ADJUTANT_TEST_IMAGE are not set (scripts/test.sh does)';
  const tool = ['podman', 'rpmbuild', 'createrepo_c'].find(
    (name) => spawnSync(name, ['--version']).error !== undefined,
  );
  return tool === undefined ? '' : `: ${tool} is not installed`;
}
const missing = whatIsMissing();

/** One file is in both of the two that exclude each other, another in the first only. */
const specs = {
  plain: 'Requires: sealed-any\n%description\nd\n%files\n',
  'sealed-minimal': `Epoch: 1
Provides: sealed-any
Conflicts: sealed
%description
d
%install
mkdir -p %{buildroot}/usr/share
echo minimal | tee %{buildroot}/usr/share/sealed.txt %{buildroot}/usr/share/minimal.txt
%preun -p <lua>
print('sealed-minimal says goodbye')
%files
/usr/share/*.txt
`,
  sealed: `Provides: sealed-any
Conflicts: sealed-minimal
%description
d
%install
mkdir -p %{buildroot}/usr/share
echo full >%{buildroot}/usr/share/sealed.txt
%files
/usr/share/*.txt
`,
  wanting: 'BuildRequires: sealed\n%description\nd\n%files\n',
} as const;

const comps = `<?xml version="1.0"?>
<comps><group><id>build</id><name>build</name><packagelist>
<packagereq type="mandatory">plain</packagereq><packagereq type="mandatory">sealed-minimal</packagereq>
</packagelist></group></comps>
`;

/** Makes the packages and a repo of the binary ones in `repo`; gives the path of the source package. */
async function makePackages(directory: string): Promise<string> {
  await mkdir(join(directory, 'repo'));
  for (const [name, rest] of Object.entries(specs)) {
    const spec = join(directory, `${name}.spec`);
    const head = `Name: ${name}\nVersion: 1.0\nRelease: 1\nSummary: Test\nLicense: MIT\nBuildArch: noarch\n`;
    await writeFile(spec, head + rest);
    const defines = [`_topdir ${directory}`, `_rpmdir ${join(directory, 'repo')}`, `_srcrpmdir ${directory}`];
    const what = name === 'wanting' ? '-bs' : '-bb';
    await run('rpmbuild', [what, '--quiet', ...defines.flatMap((define) => ['--define', define]), spec]);
  }
  await writeFile(join(directory, 'comps.xml'), comps);
  await run('createrepo_c', ['--quiet', '-g', join(directory, 'comps.xml'), join(directory, 'repo')]);
  return join(directory, 'wanting-1.0-1.src.rpm');
}

async function serve(directory: string): Promise<string> {
  const server = createServer((request, response) => {
    readFile(join(directory, new URL(request.url ?? '', 'http://localhost').pathname)).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on a port
}

/** A host with an empty cache, and the containers that were made on it. All of it goes when the test ends. */
function openHost(directory: string): { readonly host: BuildrootHost; readonly made: readonly Made[] } {
  const containers = new PodmanManager({
    ...{ socketPath, clock: systemClock, logger: createLogger('warn'), ulimits: testUlimits },
    ...{ places: { workDir: directory, topDir: directory, logDir: directory } },
    ...{ reconnectMs: 0, timeoutMs: 60_000, pullMs: 60_000 },
  });
  const made: Made[] = [];
  const create = containers.create.bind(containers);
  containers.create = async (spec, signal) => {
    const container = await create(spec, signal);
    made.push({ phase: spec.owner.phase, container });
    return container;
  };
  const cache = emptyCache(containers, directory);
  const removals = new LateRemovals(createLogger('silent'));
  onTestFinished(async () => {
    await cache.snapshots.idle();
    await removals.idle();
    const kept = await cache.snapshots.list(never);
    // The younger ones are made of the older ones.
    for (const { key } of kept.toSorted((a, b) => b.createdMs - a.createdMs))
      await cache.snapshots.forget(key);
  });
  const host = {
    ...{
      containers,
      clock: systemClock,
      site,
      meter: noMeter,
      workerId: 'removals-test',
      hostname: 'localhost',
      cache,
    },
    removals,
    network: { caBundle: null, proxies: {} },
    ...{ localTime: null, limits: { pids: 1000 }, labels: {}, codeLimits: {}, extraMounts: [] },
  };
  return { host, made };
}

interface Made {
  readonly phase: string;
  readonly container: Container;
}

/** A root of the group, with the source package in it. */
async function openRoot(
  host: BuildrootHost,
  bootstrap: string,
  buildrootId: number,
  repoUrl: string,
  directory: string,
  source: string,
) {
  const logs = new TextLogs();
  const cleanup = new AsyncDisposableStack();
  onTestFinished(() => cleanup.disposeAsync());
  const { digest } = await host.containers.ensureImage(bootstrap, 'never', never);
  const work = `task-${buildrootId}`;
  await mkdir(join(directory, work));
  const request = {
    ...{ taskId: process.pid, buildrootId, image: bootstrap, imageDigest: digest, group: 'build' },
    ...{ repos: [hubRepo([repoUrl])], extra: {}, targetArch: machineArch(), rpmTarget: 'noarch' },
    ...{ personality: null, network: 'none' as const, directory: { absolute: join(directory, work), work } },
  };
  const root = await TagRoot.prepare(host, request, logs, noHistory, cleanup, never);
  await root.bringSource(source);
  return { root, logs };
}

describe.skipIf(missing !== '')(`a package that is in the way of a build requirement${missing}`, () => {
  it('is removed by dnf 4, and the requirement installed, as under mock', () => removes(image));

  it.skipIf(noDnf5 !== '')(`is removed by dnf 5 as well${noDnf5}`, () => removes(dnf5Image));

  async function removes(bootstrap: string): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-removals-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const source = await makePackages(directory);
    const url = `${await serve(directory)}/repo`;
    const { host, made } = openHost(directory);
    const { root, logs } = await openRoot(host, bootstrap, 1, url, directory, source);
    const names = () => root.installed.map(({ name }) => name).toSorted();
    expect(names(), logs.texts.root).toEqual(['plain', 'sealed-minimal']);

    await root.addBuildRequires(never);

    expect(names(), logs.texts.root).toEqual(['plain', 'sealed']);
    expect(logs.texts.root).toContain('sealed-minimal says goodbye');
    const changed = made.findLast(({ phase }) => phase === 'root');
    const tar = await changed?.container.copyOut('/usr/share', never);
    const place = join(directory, 'found');
    await mkdir(place);
    expect((await collectFiles(tar ?? Readable.from([]), place, '.txt', never)).files).toEqual([
      'sealed.txt',
    ]);
    expect(await readFile(join(place, 'sealed.txt'), 'utf8')).toBe('full\n');
    const { installed } = root;
    await root.addBuildRequires(never);
    expect(root.installed, 'nothing is left to be done').toBe(installed);

    await host.cache.snapshots.idle();
    const before = made.length;
    const { root: again, logs: said } = await openRoot(host, bootstrap, 2, url, directory, source);
    await again.addBuildRequires(never);

    expect(again.installed).toEqual(installed);
    expect(made.slice(before), said.texts.root).toEqual([]);
  }
});
