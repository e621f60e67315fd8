import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  buildScript,
  carryScript,
  fetchScript,
  generateRequiresScript,
  installScript,
  quote,
  rebuildSourceScript,
  sourceScript,
} from './scripts.ts';

const hostile = ['x', 'a b', "it's", '$(reboot)', '`id`', '"', '\\', '-rf', '*', 'a\nb', '!!', '~', '#', ''];
const settings = { packages: 'packages-1', releaseVersion: null, personality: null };
const install = { fresh: true, personality: null, machineId: 'abc', localTime: null };
const bash = spawnSync('bash', ['--version'], { encoding: 'utf8' });
const noBash = bash.status === 0 ? '' : ' (skipped: there is no bash)';

/** What bash takes the words of a command line for. */
function wordsOf(line: string): readonly string[] {
  const { stdout, stderr } = spawnSync('bash', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\0').slice(0, -1);
}

describe.skipIf(noBash !== '')(`scripts for bash${noBash}`, () => {
  const scripts: Record<string, string> = {
    'fetch of a group': fetchScript({ kind: 'group', group: 'build' }, settings),
    'fetch of requirements': fetchScript(
      { kind: 'build-requires', files: ['requires-1.src.rpm'] },
      { packages: 'packages-2', releaseVersion: '9', personality: 'linux32' },
    ),
    'first install': installScript({ ...install, localTime: '../usr/share/zoneinfo/Asia/Tokyo' }),
    'later install': installScript({ ...install, fresh: false, personality: 'linux32' }),
    source: sourceScript('source.src.rpm', 'x86_64', null, 'empty'),
    'source again': sourceScript('source.src.rpm', 'x86_64', null, 'unpacked'),
    carry: carryScript,
    'generated requirements': generateRequiresScript('source.src.rpm', 'i686', 'linux32', 'unpacked'),
    build: buildScript('source.src.rpm', 'noarch', null, 'empty'),
    'build with generated requirements': buildScript('source.src.rpm', 'x86_64', 'linux32', 'prepared'),
    'rebuild of a source package': rebuildSourceScript('source.src.rpm'),
    ...Object.fromEntries(
      hostile.flatMap((word) => [
        [`fetch of group ${word}`, fetchScript({ kind: 'group', group: word }, settings)],
        [
          `fetch for ${word}`,
          fetchScript(
            { kind: 'build-requires', files: [word] },
            { ...settings, releaseVersion: word, personality: word },
          ),
        ],
        [`install with ${word}`, installScript({ ...install, localTime: word, machineId: word })],
        [`source ${word}`, sourceScript(word, word, word, 'empty')],
        [`build ${word}`, buildScript(word, word, word, 'prepared')],
        [`rebuild ${word}`, rebuildSourceScript(word)],
      ]),
    ),
  };

  it('are all sound', () => {
    for (const [name, script] of Object.entries(scripts)) {
      const { stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
      expect(`${name}: ${stderr}`).toBe(`${name}: `);
    }
  });

  it('quote any word so that it comes back from bash', () => {
    const word = fc.string({
      unit: fc.constantFrom(...'ab\'"\\$`!*?[]{}()<>|&;#~= \t\n\r%-', 'é', '\u{1f600}'),
    });
    fc.assert(
      fc.property(fc.array(word, { minLength: 20, maxLength: 40 }), (words) => {
        expect(wordsOf(words.map(quote).join(' '))).toEqual(words);
      }),
      { numRuns: 20 },
    );
  });

  it('leave a plain word as it is and quote an empty one', () => {
    expect(quote('/a/b-1.0~rc.rpm')).toBe("'/a/b-1.0~rc.rpm'");
    expect(quote('/adjutant/in/a_b+c:1.rpm')).toBe('/adjutant/in/a_b+c:1.rpm');
    expect(quote('')).toBe("''");
  });

  it.each(hostile)('ask dnf for exactly the group %j', (group) => {
    const [command = ''] =
      /"\$dnf" -y [\s\S]*?(?=\nstatus=)/.exec(fetchScript({ kind: 'group', group }, settings)) ?? [];

    expect(wordsOf(command).slice(-2)).toEqual(['install', `@${group}`]);
  });

  it.each(['a b.spec', "it's.spec", '$(touch x).spec', '-x.spec'])('hand rpmbuild the spec %j', (spec) => {
    const script = buildScript('s.src.rpm', 'noarch', null, 'empty');
    const [line = ''] = /\/bin\/bash --login .*/.exec(script) ?? [];
    const shown = line.replace('--login', '').replace('exec /usr/bin/rpmbuild', 'printf "%s\\0" rpmbuild');

    const { stdout } = spawnSync('bash', ['-c', shown], { env: { spec, HOME: '/home' }, encoding: 'utf8' });

    expect(stdout.split('\0').slice(0, -1)).toEqual([
      ...['rpmbuild', '-bb', '--target', 'noarch', '--nodeps', `/home/build/SPECS/${spec}`],
    ]);
  });
});

describe('fetchScript', () => {
  it.skipIf(noBash !== '').each([
    ['no dnf', null, false],
    ['dnf 5', '\x7fELF\0\0#!/bin/sh\n', false],
    ['dnf 4', '#!/usr/libexec/platform-python -P\n', true],
  ])(`goes on with dnf 4 only, not in an image with %s${noBash}`, async (_what, dnf, goesOn) => {
    const bin = await mkdtemp(join(tmpdir(), 'scripts-'));
    onTestFinished(() => rm(bin, { recursive: true }));
    if (dnf !== null) await writeFile(join(bin, 'dnf'), dnf, { mode: 0o755 });
    const script = fetchScript({ kind: 'group', group: 'build' }, settings);
    const beginning = `${script.slice(0, script.indexOf('\nmkdir'))}\necho "$dnf"`;

    const { status, stdout } = spawnSync('/bin/bash', ['-c', beginning], {
      env: { PATH: bin },
      encoding: 'utf8',
    });

    expect({ status, stdout }).toEqual(
      goesOn
        ? { status: 0, stdout: `${join(bin, 'dnf')}\n` }
        : { status: 3, stdout: expect.stringContaining('this image has no dnf 4') },
    );
  });

  it('downloads into the directory of its transaction and runs nothing', () => {
    const script = fetchScript({ kind: 'group', group: 'build' }, { ...settings, packages: 'packages-7' });

    expect(script).toContain(
      '--allowerasing --downloadonly --downloaddir=/adjutant/fetch/packages-7 install @build',
    );
    expect(script).toContain('--installroot=/mnt/root');
    expect(script).not.toContain('--releasever');
    expect(script).not.toContain('setarch');
  });

  it('solves for the release and machine it is told', () => {
    const script = fetchScript(
      { kind: 'build-requires', files: ['a.src.rpm', 'b.src.rpm'] },
      { ...settings, releaseVersion: '9', personality: 'linux32' },
    );

    expect(script).toContain('setarch linux32 "$dnf" -y ');
    expect(script).toContain(' --releasever=9 ');
    expect(script).toContain(' builddep /adjutant/in/a.src.rpm /adjutant/in/b.src.rpm');
  });
});

describe('installScript', () => {
  it('makes user, home and directories only with the first transaction', () => {
    expect(installScript(install)).toContain('mockbuild:x:1000:135::/builddir:/bin/bash');
    expect(installScript(install)).toContain('chown -R 1000:135 "$home"');
    expect(installScript({ ...install, fresh: false })).not.toMatch(/mockbuild|chown|mkdir/);
  });

  it('makes the files that mock puts there before those of packages', () => {
    const lines = installScript({ ...install, machineId: '0123' }).split('\n');
    const packages = lines.findIndex((line) => line.includes(' -Uv --oldpackage '));
    const before = lines.slice(0, packages).join('\n');

    expect(before).toContain('echo 0123 >"$root/etc/machine-id"');
    expect(before).toContain('127.0.0.1 localhost localhost.localdomain');
    expect(before).toContain('ln -s ../proc/self/mounts "$root/etc/mtab"');
    expect(before).toMatch(/touch .*"\$root\/etc\/resolv.conf"/);
    expect(before).not.toContain('mockbuild');
  });

  it.skipIf(noBash !== '')(`leaves alone what is mounted for scriptlets, and devices${noBash}`, () => {
    const listed = ['-rw-r--r-- /usr/x', 'crw-rw-rw- /dev/a', 'brw------- /lib/b', 'crw-rw-rw- /%(reboot)'];
    const script = installScript({ ...install, fresh: false })
      .replace('packages=(/adjutant/packages/*.rpm)', 'packages=(a.rpm)')
      .replaceAll('/tmp/manifest', '/dev/null')
      .replace(/^.*\/adjutant\/out\/installed.*$/m, '');
    const rpm = `rpm() { if [ "$1" = -qp ]; then printf '%s\\n' ${listed.map(quote).join(' ')}; else printf '<%s>' "$@"; fi; }`;

    const { stdout } = spawnSync('bash', ['-c', `${rpm}\n${script}`], { encoding: 'utf8' });

    expect(stdout).toBe(
      'left out, a device: /dev/a\nleft out, a device: /lib/b\n' +
        '<--root></mnt/root><--define><_netsharedpath /proc:/sys:/dev/a:/lib/b>' +
        '<-Uv><--oldpackage><--replacepkgs><--nosignature></dev/null>',
    );
  });

  it.skipIf(noBash !== '')(
    `removes what the solver wants removed before it adds anything${noBash}`,
    async () => {
      const place = await mkdtemp(join(tmpdir(), 'scripts-'));
      onTestFinished(() => rm(place, { recursive: true }));
      await writeFile(join(place, 'removals'), 'curl-minimal-1-1.x86_64\nx (y)-1-1.noarch\n');
      await writeFile(join(place, 'curl.rpm'), '');
      const script = installScript({ ...install, fresh: false })
        .replaceAll('/adjutant/packages', place)
        .replaceAll('/tmp/manifest', '/dev/null')
        .replace(/^.*\/adjutant\/out\/installed.*$/m, '');
      const rpm = `rpm() { [ "$1" = -qp ] || { printf '<%s>' "$@"; echo; }; }`;

      const { stdout } = spawnSync('bash', ['-c', `${rpm}\n${script}`], { encoding: 'utf8' });

      const [removal, addition] = stdout.split('\n');
      expect(removal).toBe(
        '<--root></mnt/root><-ev><--nodeps><--><curl-minimal-1-1.x86_64><x (y)-1-1.noarch>',
      );
      expect(addition).toContain('<-Uv>');
    },
  );

  it('links the time zone of the host, if it has one', () => {
    expect(installScript({ ...install, localTime: '/usr/share/zoneinfo/UTC' })).toContain(
      'ln -s /usr/share/zoneinfo/UTC "$root/etc/localtime"',
    );
    expect(installScript(install)).not.toContain('localtime');
  });
});

/** What a script hands to rpmbuild behind the fixed options, where `rpmbuild --help` runs the shell command `help`. */
function rpmbuildArguments(script: string, help: string): string {
  const end = script.slice(script.lastIndexOf('\nfi\n') + '\nfi\n'.length);
  const shown = end
    .replaceAll('/usr/bin/rpmbuild --help', help)
    .replace(/exec \/usr\/bin\/rpmbuild .*? "\$@"/, 'echo "$@"')
    .replace('--login ', '');
  const run = spawnSync('bash', ['-c', shown], { env: { spec: 'a.spec', HOME: '/home' }, encoding: 'utf8' });
  return run.stdout.trimEnd();
}

describe('scripts that run rpmbuild', () => {
  it.each([
    ['-bs --target noarch --nodeps', sourceScript('s.src.rpm', 'noarch', null, 'empty')],
    ['-bb --target x86_64 --nodeps', buildScript('s.src.rpm', 'x86_64', null, 'empty')],
    ['-bs --nodeps', rebuildSourceScript('s.src.rpm')],
  ])('run rpmbuild %s after unpacking', (options, script) => {
    expect(script).toContain('/usr/bin/rpm -Uvh --nodeps /adjutant/in/s.src.rpm');
    expect(script.trimEnd().split('\n').at(-2)).toContain(`exec /usr/bin/rpmbuild ${options} "$@"`);
    expect(script.match(/exit 40/g)).toHaveLength(2);
  });

  it.each([
    ['-bs --target noarch --nodeps', sourceScript('s.src.rpm', 'noarch', null, 'unpacked')],
    ['-br --target x86_64 --nodeps', generateRequiresScript('s.src.rpm', 'x86_64', null, 'unpacked')],
    ['-br --noprep --target i686 --nodeps', generateRequiresScript('s.src.rpm', 'i686', null, 'prepared')],
    ['-ba --noprep --target x86_64 --nodeps', buildScript('s.src.rpm', 'x86_64', null, 'prepared')],
  ])('run rpmbuild %s where it was unpacked before', (options, script) => {
    expect(script).not.toContain('rpm -U');
    expect(script.trimEnd().split('\n').at(-2)).toContain(`exec /usr/bin/rpmbuild ${options} "$@"`);
    expect(script.match(/exit 40/g)).toHaveLength(1);
  });

  it.skipIf(noBash !== '').each([
    ['the one spec that was unpacked', ['hello world.spec'], { status: 0, stdout: 'hello world.spec\n' }],
    ['no spec', [], { status: 40, stdout: '0 spec files in the source package\n' }],
    ['two', ['a.spec', 'b.spec'], { status: 40, stdout: '2 spec files in the source package\n' }],
  ])(`take or refuse, to make a source package again, %s${noBash}`, async (_what, specs, expected) => {
    const home = await mkdtemp(join(tmpdir(), 'scripts-'));
    onTestFinished(() => rm(home, { recursive: true }));
    await mkdir(join(home, 'build/SPECS'), { recursive: true });
    for (const spec of specs) await writeFile(join(home, 'build/SPECS', spec), '');
    const script = rebuildSourceScript('s.src.rpm');
    const finding = script.slice(script.indexOf('shopt -s nullglob'), script.indexOf('unset SHLVL'));

    const { status, stdout } = spawnSync('bash', ['-c', `${finding}\necho "$spec"`], {
      env: { HOME: home },
      encoding: 'utf8',
    });

    expect({ status, stdout }).toEqual(expected);
  });

  it.each([
    ['that knows --noclean run it without %clean', 'echo "  --noclean   do not run %clean"', '--noclean '],
    ['of long ago run it as it is', 'echo "  --clean"', ''],
  ])('in a root with an rpmbuild %s', (_what, help, option) => {
    for (const script of [
      sourceScript('s.src.rpm', 'noarch', null, 'empty'),
      generateRequiresScript('s.src.rpm', 'noarch', null, 'unpacked'),
      buildScript('s.src.rpm', 'noarch', null, 'empty'),
    ])
      expect(rpmbuildArguments(script, help)).toBe(`${option}/home/build/SPECS/a.spec`);
    expect(rpmbuildArguments(rebuildSourceScript('s.src.rpm'), help)).toBe('/home/build/SPECS/a.spec');
  });

  it('stay as the first process, to reap what a build leaves behind, and end as rpmbuild did', () => {
    const lines = buildScript('s.src.rpm', 'noarch', 'linux32', 'empty').trimEnd().split('\n');

    expect(lines.at(-1)).toBe('exit "$?"');
    expect(lines.filter((line) => /^exec (?!<)/.test(line))).toEqual([]);
  });

  it('let a 32-bit build see a 32-bit machine', () => {
    expect(buildScript('s.src.rpm', 'i686', 'linux32', 'empty')).toContain('\nsetarch linux32 /bin/bash');
    expect(buildScript('s.src.rpm', 'i686', null, 'empty')).not.toContain('setarch');
  });
});
