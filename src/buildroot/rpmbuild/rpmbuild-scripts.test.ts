import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  buildScript,
  checkedBuildScript,
  generateRequiresScript,
  rebuildSourceScript,
  sourceScript,
} from './rpmbuild-scripts.ts';

const hostile = ['x', 'a b', "it's", '$(reboot)', '`id`', '"', '\\', '-rf', '*', 'a\nb', '!!', '~', '#', ''];
const bash = spawnSync('bash', ['--version'], { encoding: 'utf8' });
const noBash = bash.status === 0 ? '' : ' (skipped: there is no bash)';

describe.skipIf(noBash !== '')(`scripts for bash${noBash}`, () => {
  const scripts: Record<string, string> = {
    'checked build': checkedBuildScript('source.src.rpm', 'noarch', null),
    source: sourceScript('source.src.rpm', 'x86_64', null, 'empty'),
    'source again': sourceScript('source.src.rpm', 'x86_64', null, 'unpacked'),
    'generated requirements': generateRequiresScript('source.src.rpm', 'i686', 'linux32', 'unpacked'),
    build: buildScript('source.src.rpm', 'noarch', null, 'empty'),
    'build with generated requirements': buildScript('source.src.rpm', 'x86_64', 'linux32', 'prepared'),
    'rebuild of a source package': rebuildSourceScript('source.src.rpm'),
    ...Object.fromEntries(
      hostile.flatMap((word) => [
        [`source ${word}`, sourceScript(word, word, word, 'empty')],
        [`checked build ${word}`, checkedBuildScript(word, word, word)],
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

  it.each(['a b.spec', "it's.spec", '$(touch x).spec', '-x.spec'])('hand rpmbuild the spec %j', (spec) => {
    const script = buildScript('s.src.rpm', 'noarch', null, 'empty');
    const [line = ''] = /\/bin\/bash --login .*/.exec(script) ?? [];
    const shown = line.replace('--login', '').replace('exec "$0"', 'printf "%s\\0" "$0"');

    const env = { spec, HOME: '/home', rpmbuild: 'rpmbuild' };
    const { stdout } = spawnSync('bash', ['-c', shown], { env, encoding: 'utf8' });

    expect(stdout.split('\0').slice(0, -1)).toEqual([
      ...['rpmbuild', '-bb', '--target', 'noarch', '--nodeps', `/home/build/SPECS/${spec}`],
    ]);
  });
});

/** What a script hands to rpmbuild behind the fixed options, where `rpmbuild --help` runs the shell command `help`. */
function rpmbuildArguments(script: string, help: string): string {
  const end = script.slice(script.lastIndexOf('\nfi\n') + '\nfi\n'.length);
  const shown = end
    .replaceAll('"$rpmbuild" --help', help)
    .replace(/exec "\$0" .*? "\$@"/, 'echo "$@"')
    .replace('--login ', '');
  const run = spawnSync('bash', ['-c', shown], {
    env: { spec: 'a.spec', HOME: '/home', rpmbuild: 'rpmbuild' },
    encoding: 'utf8',
  });
  return run.stdout.trimEnd();
}

describe('checkedBuildScript', () => {
  /** Runs it where rpm says that the remade package asks for `asked`, and rpmbuild ends with `codes` by its mode. */
  async function runChecked(wanted: string, asked: string, codes: Readonly<Record<string, number>> = {}) {
    const place = await mkdtemp(join(tmpdir(), 'scripts-'));
    onTestFinished(() => rm(place, { recursive: true }));
    await mkdir(join(place, 'in'));
    const files = {
      asked,
      'in/requirements': wanted,
      'in/rpmmacros': '',
      rpm: `#!/bin/bash\ncase $1 in -qpl) echo a.spec ;; -qp) cat ${place}/asked ;; esac\n`,
      rpmbuild: `#!/bin/bash\nif [ "$1" = --help ]; then echo --noclean; else echo "rpmbuild $*"; fi\ncase $1 in ${Object.entries(
        codes,
      )
        .map(([mode, code]) => `${mode}) exit ${code} ;;`)
        .join(' ')} esac\n`,
    };
    for (const [name, content] of Object.entries(files))
      await writeFile(join(place, name), content, { mode: 0o755 });
    const script = checkedBuildScript('s.src.rpm', 'noarch', null)
      .replaceAll('PATH=/bin:', `PATH=${place}:/bin:`)
      .replaceAll('PATH=/usr/bin:', `PATH=${place}:/usr/bin:`)
      .replaceAll('/adjutant/in/', `${place}/in/`);
    const env = { HOME: place, PATH: '/usr/bin:/bin' };
    const { status, stdout } = spawnSync('bash', ['-c', script], { env, encoding: 'utf8' });
    return {
      status,
      modes: [...stdout.matchAll(/^rpmbuild (-\w+) --target noarch --nodeps --noclean /gm)].map(
        ([, mode]) => mode,
      ),
    };
  }

  it.skipIf(noBash !== '').each([
    ['the same', 'gcc 0 \nmake 12 4.0\n', 'gcc 0 \nmake 12 4.0\n', 0],
    [
      'the same, but for what rpm asks of itself',
      'gcc 0 \n',
      'rpmlib(FileDigests) 16777226 4.6\ngcc 0 \n',
      0,
    ],
    ['nothing, as before', '\n', 'rpmlib(FileDigests) 16777226 4.6\n', 0],
    ['something more', 'gcc 0 \n', 'gcc 0 \nmake 0 \n', 97],
    ['something less', 'gcc 0 \nmake 0 \n', 'gcc 0 \n', 97],
    ['another version', 'gcc 12 4\n', 'gcc 12 5\n', 97],
    ['what it generates', '\n', 'rpmlib(DynamicBuildRequires) 16777226 4.15\n', 97],
  ])(`when the remade package asks for %s${noBash}`, async (_what, wanted, asked, status) => {
    expect(await runChecked(wanted, asked)).toEqual({
      status,
      modes: status === 0 ? ['-bs', '-bb'] : ['-bs'],
    });
  });

  it.skipIf(noBash !== '').each([
    ['-bs', ['-bs']],
    ['-bb', ['-bs', '-bb']],
  ])(`ends as rpmbuild %s did when that fails${noBash}`, async (mode, modes) => {
    expect(await runChecked('gcc 0 \n', 'gcc 0 \n', { [mode]: 7 })).toEqual({ status: 7, modes });
  });
});

describe('scripts that run rpmbuild', () => {
  it.each([
    ['-bs --target noarch --nodeps', sourceScript('s.src.rpm', 'noarch', null, 'empty')],
    ['-bb --target x86_64 --nodeps', buildScript('s.src.rpm', 'x86_64', null, 'empty')],
    ['-bs --nodeps', rebuildSourceScript('s.src.rpm')],
  ])('run rpmbuild %s after unpacking', (options, script) => {
    expect(script).toContain('"$rpm" -Uvh --nodeps /adjutant/in/s.src.rpm');
    expect(script).toContain(`exec "$0" ${options} "$@"`);
    expect(script.match(/exit 40/g)).toHaveLength(2);
  });

  it.each([
    ['-bs --target noarch --nodeps', sourceScript('s.src.rpm', 'noarch', null, 'unpacked')],
    ['-br --target x86_64 --nodeps', generateRequiresScript('s.src.rpm', 'x86_64', null, 'unpacked')],
    ['-br --noprep --target i686 --nodeps', generateRequiresScript('s.src.rpm', 'i686', null, 'prepared')],
    ['-ba --noprep --target x86_64 --nodeps', buildScript('s.src.rpm', 'x86_64', null, 'prepared')],
  ])('run rpmbuild %s where it was unpacked before', (options, script) => {
    expect(script).not.toContain('rpm -U');
    expect(script).toContain(`exec "$0" ${options} "$@"`);
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

  /** Runs a script where PATH leads to `bin` alone, in which there are these programs. */
  async function runWith(script: string, programs: readonly string[]) {
    const place = await mkdtemp(join(tmpdir(), 'scripts-'));
    onTestFinished(() => rm(place, { recursive: true }));
    for (const directory of ['bin', 'usr/bin', 'in'])
      await mkdir(join(place, directory), { recursive: true });
    await writeFile(join(place, 'in/rpmmacros'), '%a b\n');
    for (const name of programs)
      await writeFile(join(place, name), `#!/bin/bash\necho "$0 $*"\n`, { mode: 0o755 });
    for (const name of ['mkdir', 'rm']) await symlink(`/bin/${name}`, join(place, 'bin', name));
    const moved = script
      .replaceAll(
        /PATH=(\S+):\$PATH /g,
        (_all, path: string) =>
          `PATH=${path.replace(/\/(usr|bin)/g, `${place}/$1`).replaceAll(`${place}/usr${place}/bin`, `${place}/usr/bin`)} `,
      )
      .replaceAll('/adjutant/in/', `${place}/in/`);
    const env = { HOME: place, PATH: join(place, 'bin') };
    const { status, stdout } = spawnSync('/bin/bash', ['-c', moved], { env, encoding: 'utf8' });
    return {
      status,
      stdout: stdout.replaceAll(place, ''),
      macros: await readFile(join(place, '.rpmmacros'), 'utf8').catch(() => null),
    };
  }
  const every = {
    'the source script': sourceScript('s.spec', 'noarch', null, 'empty'),
    'the script for generated requirements': generateRequiresScript('s.spec', 'noarch', null, 'unpacked'),
    'the build script': buildScript('s.spec', 'noarch', null, 'empty'),
    'the checked build script': checkedBuildScript('s.spec', 'noarch', null),
    'the script of a rebuild': rebuildSourceScript('s.spec'),
  };

  it.skipIf(noBash !== '').each(Object.entries(every))(
    `tell a root without rpm or rpmbuild from a bad package: %s${noBash}`,
    async (_what, script) => {
      expect(await runWith(script, ['usr/bin/rpmbuild'])).toEqual({
        status: 94,
        stdout: 'the root has no rpm\n',
        macros: null,
      });
      expect(await runWith(script, ['bin/rpm'])).toEqual({
        status: 95,
        stdout: 'the root has no rpmbuild\n',
        macros: null,
      });
    },
  );

  it.skipIf(noBash !== '').each([
    [['bin/rpm', 'usr/bin/rpm', 'usr/bin/rpmbuild'], '/usr/bin/rpmbuild'],
    [['bin/rpm', 'bin/rpmbuild'], '/bin/rpmbuild'],
    [['usr/bin/rpm', 'bin/rpmbuild', 'usr/bin/rpmbuild'], '/usr/bin/rpmbuild'],
  ])(`find %j wherever the root has them${noBash}`, async (programs, found) => {
    // This rpm says its arguments: the name of the source package comes last, and is taken for that of a spec.
    const { status, stdout, macros } = await runWith(
      buildScript('s.spec', 'noarch', null, 'empty'),
      programs,
    );

    expect(stdout).toMatch(new RegExp(`^${found} -bb --target noarch --nodeps /build/SPECS/`, 'm'));
    expect({ status, macros }).toEqual({ status: 0, macros: '%a b\n' });
  });

  it('stay as the first process, to reap what a build leaves behind, and end as rpmbuild did', () => {
    const lines = buildScript('s.src.rpm', 'noarch', 'linux32', 'empty').trimEnd().split('\n');

    expect(lines.at(-1)).toBe('exit "$status"');
    expect(lines.filter((line) => /^exec (?!<)/.test(line))).toEqual([]);
  });

  it('let a 32-bit build see a 32-bit machine', () => {
    expect(buildScript('s.src.rpm', 'i686', 'linux32', 'empty')).toContain('\nsetarch linux32 /bin/bash');
    expect(buildScript('s.src.rpm', 'i686', null, 'empty')).not.toContain('setarch');
  });
});
