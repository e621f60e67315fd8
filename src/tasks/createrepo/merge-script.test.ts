import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type MergeOrder, mergeScript, oldMergerepo } from './merge-script.ts';

const order: MergeOrder = {
  mode: 'koji',
  arch: 'x86_64',
  groups: false,
  repos: ['file:///adjutant/repo_7_premerge/', 'http://mirror/a b/'],
};

/** Runs the script beside a `mergerepo_c` that knows its version and shows its arguments, one a line. */
async function play(version: string, changes: Partial<MergeOrder> = {}) {
  const place = await mkdtemp(join(tmpdir(), 'merge-'));
  onTestFinished(() => rm(place, { recursive: true }));
  await mkdir(join(place, 'adjutant/merge'), { recursive: true });
  const program = `#!/bin/sh\n[ "$1" = --version ] && { echo '${version}'; exit 0; }\nprintf '%s\\n' "$@"\nexit 7\n`;
  await writeFile(join(place, 'mergerepo_c'), program);
  await chmod(join(place, 'mergerepo_c'), 0o755);
  const script = mergeScript({ ...order, ...changes }).replaceAll(
    '/adjutant/merge',
    join(place, 'adjutant/merge'),
  );
  const { stdout, status } = spawnSync('bash', ['-c', script], {
    encoding: 'utf8',
    env: { PATH: `${place}:${process.env['PATH']}` },
  });
  const [echoed, ...given] = stdout.replaceAll(join(place, 'adjutant/merge'), '/adjutant/merge').split('\n');
  return { echoed, given: given.filter((word) => word !== ''), status, place };
}

describe('mergeScript', () => {
  it('writes the command into the log and ends as mergerepo_c ends', async () => {
    const { echoed, given, status } = await play('Version: 0.17.3 (Features: DeltaRPM )');

    expect(echoed).toMatch(/^\$ mergerepo_c --koji -b /);
    expect(given).toEqual([
      ...['--koji', '-b', '/adjutant/in/blocklist', '-a', 'x86_64', '-o', '/adjutant/merge/repo'],
      ...['--arch-expand', '-r', 'file:///adjutant/repo_7_premerge/', '-r', 'http://mirror/a b/'],
    ]);
    expect(status).toBe(7);
  });

  it('names the groups where there are some', async () => {
    const { given } = await play('Version: 0.17.3', { groups: true });

    expect(given.join(' ')).toContain('--arch-expand -g /adjutant/in/comps.xml -r file:');
  });

  it.each([
    ['Version: 0.15.10', false],
    ['Version: 0.15.11', true],
    ['Version: 1.0.0 (Features: )', true],
    ['Version: 0.09.99', false],
    ['mergerepo 1.0', false],
  ])('expands arches as of 0.15.11: %s', async (version, expands) => {
    const { given } = await play(version);

    expect(given.includes('--arch-expand')).toBe(expands);
  });

  it.each([
    ['Version: 0.12.2', '0.12.2'],
    ['something else', 'None'],
  ])('does not try mode simple with %j', async (version, known) => {
    const { status, place, given } = await play(version, { mode: 'simple' });

    expect(status).toBe(oldMergerepo);
    expect(given).toEqual([]);
    expect(await readFile(join(place, 'adjutant/merge/version'), 'utf8')).toBe(known);
  });

  it('tries mode simple as of 0.13.0', async () => {
    expect((await play('Version: 0.13.0', { mode: 'simple' })).given).toContain('--simple');
  });

  it('takes a URL as it is, whatever is in it', async () => {
    const url = "http://mirror/it's $(touch /tmp/no)/";

    expect((await play('Version: 0.17.3', { repos: [url] })).given.at(-1)).toBe(url);
  });
});
