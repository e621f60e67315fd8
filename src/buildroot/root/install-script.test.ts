import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { installScript } from './install-script.ts';

const hostile = ['x', 'a b', "it's", '$(reboot)', '`id`', '"', '\\', '-rf', '*', 'a\nb', '!!', '~', '#', ''];
const inputs = { digests: { sha256sum: 'd  /p\n' }, transaction: '{}' };
const install = { attempt: 1, inputs, fresh: true, personality: null, machineId: 'abc', localTime: null };
const bash = spawnSync('bash', ['--version'], { encoding: 'utf8' });
const noBash = bash.status === 0 ? '' : ' (skipped: there is no bash)';

describe('installScript', () => {
  it.skipIf(noBash !== '')(`is sound for bash${noBash}`, () => {
    const scripts: Record<string, string> = {
      'install without packages': installScript({ ...install, inputs: { ...inputs, digests: {} } }),
      'first install': installScript({ ...install, localTime: '../usr/share/zoneinfo/Asia/Tokyo' }),
      'later install': installScript({ ...install, fresh: false, personality: 'linux32' }),
      ...Object.fromEntries(
        hostile.map((word) => [
          `install with ${word}`,
          installScript({ ...install, localTime: word, machineId: word }),
        ]),
      ),
    };
    for (const [name, script] of Object.entries(scripts)) {
      const { stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
      expect(`${name}: ${stderr}`).toBe(`${name}: `);
    }
  });

  it('makes user, home and directories only with the first transaction', () => {
    expect(installScript(install)).toContain('mockbuild:x:1000:135::/builddir:/bin/bash');
    expect(installScript(install)).toContain('chown -Rh 1000:135 "$home"');
    expect(installScript({ ...install, fresh: false })).not.toMatch(/mockbuild|chown|mkdir/);
  });

  it('makes the files that mock puts there before those of packages', () => {
    const lines = installScript({ ...install, machineId: '0123' }).split('\n');
    const packages = lines.findIndex((line) => line.includes('/adjutant/in/transaction.py'));
    const before = lines.slice(0, packages).join('\n');

    expect(before).toContain('echo 0123 >"$root/etc/machine-id"');
    expect(before).toContain('127.0.0.1 localhost localhost.localdomain');
    expect(before).toContain('ln -s ../proc/self/mounts "$root/etc/mtab"');
    expect(before).toMatch(/touch .*"\$root\/etc\/resolv.conf"/);
    expect(before).not.toContain('mockbuild');
  });

  /** Runs an install with a function for each program, and what the script finds in `/adjutant/in`. */
  async function runInstall(
    digests: Readonly<Record<string, string>>,
    functions: Readonly<Record<string, string>>,
    files: Readonly<Record<string, string>> = {},
  ) {
    const place = await mkdtemp(join(tmpdir(), 'scripts-'));
    onTestFinished(() => rm(place, { recursive: true }));
    await mkdir(join(place, 'out'));
    await mkdir(join(place, 'in'));
    for (const [name, content] of Object.entries(files))
      await writeFile(join(place, 'in', name), content.replaceAll('/adjutant/', `${place}/`));
    const script = installScript({ ...install, fresh: false, inputs: { ...inputs, digests } });
    const moved = script.replaceAll('/adjutant/', `${place}/`).replaceAll('/usr/libexec/', '');
    const programs = Object.entries(functions).map(([name, body]) => `${name}() { ${body}; }\n`);
    const env = { PATH: '/usr/bin:/bin' };
    const run = spawnSync('bash', ['-c', `${programs.join('')}${moved}`], { env, encoding: 'utf8' });
    return { status: run.status, stdout: run.stdout.replaceAll(place, '/adjutant') };
  }
  const shown = (name: string) => `printf '<%s>' ${name} "$@"; echo`;
  const carriedOut = '<-I></adjutant/in/transaction.py></mnt/root></adjutant/in/transaction-1.json>\n';

  it.skipIf(noBash !== '').each([
    ['where EL 8 has it', { 'platform-python': shown('platform') }, `<platform>${carriedOut}`, 0],
    [
      'where the first has no bindings',
      { 'platform-python': 'return 96', python3: shown('python3') },
      `<python3>${carriedOut}`,
      0,
    ],
    ['and fails with it', { python3: 'echo no; return 7' }, 'no\n', 1],
    [
      'unless there is none',
      { python3: 'return 96' },
      'this image has no Python with the bindings of rpm (python3-rpm)\n',
      96,
    ],
  ] as const)(
    `carries out the transaction with rpm's Python, %s${noBash}`,
    async (_what, programs, said, code) => {
      // What is listed goes into a file.
      const { status, stdout } = await runInstall({}, { ...programs, rpm: ':' });

      expect({ status, stdout }).toEqual({ status: code, stdout: said });
    },
  );

  it.skipIf(noBash !== '').each([
    ['are as they should be', 'content', 0, /^<python3>/],
    ['are damaged', 'CONTENT', 41, /^\/adjutant\/in\/a\.rpm: FAILED\n$/],
    ['are gone', null, 41, /^sha256sum: .*\n\/adjutant\/in\/a\.rpm: FAILED open or read\n$/],
  ])(
    `looks at the packages before it touches the root: they %s${noBash}`,
    async (_what, found, code, said) => {
      const hex = createHash('sha256').update('content').digest('hex');
      const digests = { sha256sum: `${hex}  /adjutant/in/a.rpm\n` };

      const { status, stdout } = await runInstall(
        digests,
        { python3: shown('python3'), rpm: shown('rpm') },
        { 'sha256sum-1': digests.sha256sum, ...(found === null ? {} : { 'a.rpm': found }) },
      );

      expect(stdout.replace(/^sha256sum: WARNING.*\n/gm, '')).toMatch(said);
      expect(status).toBe(code);
    },
  );

  it('links the time zone of the host, if it has one', () => {
    expect(installScript({ ...install, localTime: '/usr/share/zoneinfo/UTC' })).toContain(
      'ln -s /usr/share/zoneinfo/UTC "$root/etc/localtime"',
    );
    expect(installScript(install)).not.toContain('localtime');
  });
});
