import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { quote } from '../../core/bash.ts';
import { noPackageManager } from '../steps/exit-codes.ts';
import type { SolveGoal } from './package-manager.ts';
import { packageManagers } from './package-managers.ts';
import { solveScript } from './solve-script.ts';

const settings = { packageManager: null, releaseVersion: null, personality: null };
const group: SolveGoal = { kind: 'group', group: 'build' };
const hostile = ['x', 'a b', "it's", '$(reboot)', '`id`', '"', '\\', '-rf', '*', 'a\nb', '!!', '~', '#', ''];
const bash = spawnSync('bash', ['--version'], { encoding: 'utf8' });
const noBash = bash.status === 0 ? '' : ' (skipped: there is no bash)';

/** Programs as images have them: dnf 4 is a script, dnf 5 is none. */
const programs = {
  'dnf-3': '#!/usr/libexec/platform-python -P\n',
  dnf: '#!/usr/libexec/platform-python -P\n',
  dnf5: '\x7fELF\0\0#!/bin/sh\n',
} as const;

async function temporary(): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'solve-script-'));
  onTestFinished(() => rm(place, { recursive: true }));
  return place;
}

/** What the script's choice comes to in an image with these programs, and with dnf 5's loader of plug-ins or without. */
async function chosen(script: string, files: Readonly<Record<string, string>>, loader: boolean) {
  const bin = await temporary();
  for (const [name, content] of Object.entries(files))
    await writeFile(join(bin, name), content, { mode: 0o755 });
  const loaders = '/usr/lib{64,}/{,*/}libdnf5/plugins/python_plugins_loader.so';
  if (loader) await writeFile(join(bin, 'loader.so'), '');
  expect(script.includes(loaders)).toBe(script.includes('dnf5'));
  const beginning = script
    .slice(0, script.indexOf('\nmkdir'))
    .replaceAll(loaders, join(bin, '{nowhere,loader.so}'));
  const shown = `${beginning}\nprintf '%s\\0' "$manager" "$@"`;
  const { status, stdout } = spawnSync('/bin/bash', ['-c', shown], {
    env: { PATH: bin },
    encoding: 'utf8',
  });
  if (status !== 0) return { status, said: stdout };
  const [manager = '', ...words] = stdout.replaceAll(bin, 'BIN').split('\0').slice(0, -1);
  return { status, manager: manager.replace('BIN/', ''), words };
}

describe.skipIf(noBash !== '')(`solveScript${noBash}`, () => {
  it('is sound, whatever it is asked for', () => {
    const goals = hostile.flatMap((word): readonly SolveGoal[] => [
      { kind: 'group', group: word },
      { kind: 'packages', names: [word, word] },
      { kind: 'build-requires', file: word },
    ]);
    for (const goal of goals) {
      const script = solveScript(goal, { packageManager: null, releaseVersion: '9', personality: 'linux32' });
      const { stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
      expect(`${JSON.stringify(goal)}: ${stderr}`).toBe(`${JSON.stringify(goal)}: `);
    }
  });

  it.each(packageManagers)('asks $title for exactly the group, the packages and the requirements', (one) => {
    const wordsOf = (goal: SolveGoal) => {
      const line = `printf '%s\\0' ${one.solve(goal, '9')}`;
      return spawnSync('bash', ['-c', line], { encoding: 'utf8' }).stdout.split('\0').slice(0, -1);
    };
    for (const word of hostile) {
      expect(wordsOf({ kind: 'group', group: word }).at(-1)).toBe(`@${word}`);
      expect(wordsOf({ kind: 'packages', names: [word, 'b'] }).slice(-2)).toEqual([word, 'b']);
      expect(wordsOf({ kind: 'build-requires', file: word }).at(-1)).toBe(`/adjutant/in/${word}`);
    }
    expect(wordsOf(group)).toEqual(
      expect.arrayContaining(['install', '--installroot=/mnt/root', '--releasever=9', '--assumeno']),
    );
    expect(wordsOf({ kind: 'build-requires', file: 'a' })).toContain('builddep');
    expect(one.solve(group, null)).not.toMatch(/releasever| -y |download/);
  });

  it.each([
    ['dnf 4 where it is there', ['dnf5', 'dnf-3', 'dnf'], null, true, 'dnf-3'],
    ['dnf 4 by its other name', ['dnf'], null, false, 'dnf'],
    ['dnf 5 where there is no other', ['dnf5'], null, true, 'dnf5'],
    ['dnf 5 when the tag asks for it', ['dnf-3', 'dnf5'], 'dnf5', true, 'dnf5'],
    ['dnf 4 when the tag asks for it', ['dnf-3', 'dnf5'], 'dnf4', true, 'dnf-3'],
  ] as const)('takes %s', async (_what, names, packageManager, loader, taken) => {
    const files = Object.fromEntries(names.map((name) => [name, programs[name]]));

    const found = await chosen(solveScript(group, { ...settings, packageManager }), files, loader);

    expect(found).toMatchObject({ status: 0, manager: taken });
    const manager = taken === 'dnf5' ? 'dnf5' : 'dnf4';
    const one = packageManagers.find(({ name }) => name === manager);
    expect(found.words?.join(' ')).toBe(
      one?.solve(group, null).replaceAll("'", '').replace('"${loader%/*}"', 'BIN'),
    );
  });

  it.each([
    ['nothing', {}, null, true, 'this image has no dnf 4 '],
    ['dnf 5 by the name of dnf and without its loader', { dnf: programs.dnf5 }, null, false, 'no dnf 5 '],
    ['dnf 5 only, where the tag asks for dnf 4', { dnf: programs.dnf5 }, 'dnf4', true, 'no dnf 4 '],
    ['dnf 4 only, where the tag asks for dnf 5', { dnf: programs.dnf }, 'dnf5', true, 'no dnf 5 '],
  ] as const)('takes none of an image with %s', async (_what, files, packageManager, loader, says) => {
    const found = await chosen(solveScript(group, { ...settings, packageManager }), files, loader);

    expect(found).toEqual({ status: noPackageManager, said: expect.stringContaining(says) });
  });

  it.each([
    ['a solution, although it was told to do nothing about it', '{}', 1, 0],
    ['none, when the package manager fails', '', 1, 1],
    ['none, when there is nothing to do', '', 0, 0],
  ])('leaves %s', async (_what, solution, code, status) => {
    const place = await temporary();
    await mkdir(join(place, 'bin'));
    const logs = join(place, 'mnt/root/adjutant/solve/logs');
    // What a package has put where dnf 4 writes.
    await mkdir(logs, { recursive: true });
    await writeFile(join(place, 'secret'), 'SECRET\n');
    await symlink(join(place, 'secret'), join(logs, 'dnf.planted.log'));
    const dnf = `#!/bin/bash
mkdir -p ${quote(logs)}
echo said by dnf >>${quote(join(logs, 'dnf.log'))}
printf %s ${quote(solution)} >"$ADJUTANT_SOLUTION"
exit ${code}
`;
    await writeFile(join(place, 'bin/dnf-3'), dnf, { mode: 0o755 });
    const script = solveScript(group, settings).replace(
      /\/mnt\/root(?:\/adjutant)?|\/adjutant(?=\/)/g,
      (path) => `${place}${path}`,
    );

    const run = spawnSync('bash', ['-c', script], {
      env: { PATH: `${join(place, 'bin')}:/usr/bin:/bin` },
      encoding: 'utf8',
    });

    expect({ status: run.status, stdout: run.stdout }).toEqual({ status, stdout: '' });
    expect(await readdir(join(place, 'adjutant/solve/logs'))).toEqual(['dnf.log']);
    expect(await readFile(join(place, 'adjutant/solve/logs/dnf.log'), 'utf8')).toBe('said by dnf\n');
  });

  it('solves for the machine it is told', () => {
    expect(solveScript(group, settings)).not.toContain('setarch');
    expect(solveScript(group, { ...settings, personality: 'linux32' })).toContain(
      '\nsetarch linux32 "$manager" "$@"\n',
    );
  });
});
