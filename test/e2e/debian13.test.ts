import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeE2e, srpm, surroundings } from './surroundings.ts';

const run = promisify(execFile);
const image = process.env['KOJI_ADJUTANT_TEST_DNF4_IMAGE'] ?? '';

function describeDebian13(name: string, tests: () => void): void {
  const missing =
    'KOJI_ADJUTANT_TEST_DNF4_IMAGE is not set: scripts/test.sh makes the image where the mirror of the host has Debian trixie';
  if (image !== '') describeE2e(name, tests);
  else describe(name, () => it('needs an image of Debian 13', ({ skip }) => skip(missing)));
}

describeDebian13('the bootstrap image of a Debian 13 host', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
  });
  afterAll(async () => {
    await koji('cache', 'trim', '--all');
    await rm(directory, { recursive: true });
  });

  function koji(...args: readonly string[]) {
    const given = [join(import.meta.dirname, '../../src/cli.ts'), ...args];
    const env = { ...process.env, KOJI_ADJUTANT_PODMAN_SOCKET: surroundings().socket };
    const options = { cwd: directory, env, maxBuffer: 2 ** 26 };
    return run(process.execPath, [...given, '--cache-dir', join(directory, 'cache')], options);
  }

  async function rebuilt(by: string, name = 'hello'): Promise<readonly string[]> {
    const result = join(directory, `${name}-${by.replaceAll(/\W/g, '-')}`);
    const repo = join(surroundings().distribution, 'repo');
    const options = ['--macro', 'dist=.td1', '--image', by, '--result', result, '--repo', repo];
    await koji('rebuild', srpm(name), ...options);
    const installed = await readFile(join(result, 'installed_pkgs.log'), 'utf8');
    const packages = (await readdir(result)).filter((name) => name.endsWith('.rpm'));
    return [...packages, ...installed.split('\n')].toSorted();
  }

  it('solves for a group, though its libcomps crashes in dnf, and fills a root', async () => {
    expect(await rebuilt(image)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^hello-.*(?<!src)\.rpm$/),
        expect.stringMatching(/^gcc-/),
        expect.stringMatching(/^rpm-build-/),
      ]),
    );
  });

  it('finds what is required by the name of any file, though its dnf leaves the lists of files out', async () => {
    expect(await rebuilt(image, 'versioned-br')).toContainEqual(expect.stringMatching(/^leaf-filedep-/));
  });

  it('makes packages with the macros of the test distribution, though its rpm makes those with debug data by itself', async () => {
    const parts = join(import.meta.dirname, '../../scripts/test-distribution/binary-packages.sh');
    const [, macros = ''] = /macros\.testdistro <<'Y'\n(.*?)^Y$/ms.exec(await readFile(parts, 'utf8')) ?? [];
    const place = join(directory, 'rpmbuild');
    await mkdir(place);
    await writeFile(
      join(place, 'macros'),
      `${macros.replaceAll('@', '%')}%__find_debuginfo /t/find-debuginfo\n`,
    );
    await writeFile(
      join(place, 'find-debuginfo'),
      '#!/bin/sh\ntouch debugfiles.list debugsources.list debuglinks.list\n',
    );
    await chmod(join(place, 'find-debuginfo'), 0o755);
    await writeFile(
      join(place, 'tool.spec'),
      `Name: tool
Version: 1
Release: 1
Summary: Test
License: MIT
%description
d
%prep
%setup -q -c -T
%build
echo built >tool
%install
install -Dm755 /bin/true %{buildroot}/usr/bin/tool
%files
/usr/bin/tool
`,
    );
    const container = ['run', '--rm', '--network=none', '--pull=never', `--volume=${place}:/t:z`, image];
    const rpmbuild = ['rpmbuild', '--macros=/usr/lib/rpm/macros:/t/macros', '--define=_topdir /t/top', '-bb'];
    const url = ['--url', `unix://${surroundings().socket}`];

    await run('podman', [...url, ...container, ...rpmbuild, '/t/tool.spec']);

    const made = await readdir(join(place, 'top/RPMS'), { recursive: true });
    expect(made).toContainEqual(expect.stringMatching(/\/tool-1-1\..*\.rpm$/));
  });
});
