import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isPrintable } from '../../src/core/printable.ts';
import { type SourceRpm, toSourceRpm } from '../support/source-rpm.ts';

const cli = join(import.meta.dirname, '../../src/cli.ts');

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'koji-adjutant-harm-'));
  await mkdir(join(home, 'precious'));
  await writeFile(join(home, 'precious', 'thesis.txt'), 'a thesis');
  await mkdir(join(home, 'a/b/c'), { recursive: true });
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

/** Runs `koji-adjutant rebuild` of such a package three directories below the home, with the cache in the home. */
async function rebuild(rpm: SourceRpm, ...more: string[]) {
  const path = join(home, 'harm.src.rpm');
  await writeFile(path, toSourceRpm(rpm));
  const cache = join(home, '.cache/koji-adjutant');
  const args = [
    cli,
    'rebuild',
    path,
    '--cache-dir',
    cache,
    '--repo',
    'http://127.0.0.1:9/',
    '--packages',
    'bash',
  ];
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    KOJI_ADJUTANT_PODMAN_SOCKET: join(home, 'nobody-listens'),
  };
  const { promise, resolve } = Promise.withResolvers<{ code: unknown; stdout: string; stderr: string }>();
  execFile(process.execPath, [...args, ...more], { env, cwd: join(home, 'a/b/c') }, (error, stdout, stderr) =>
    resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
  );
  return promise;
}

const tree = async () => (await readdir(home, { recursive: true })).sort();

describe('koji-adjutant rebuild of a package that means harm', () => {
  it.each<readonly [SourceRpm, string]>([
    [{ release: '0/../../../../precious' }, 'its release "0/../../../../precious" has a slash'],
    [{ release: '0.feature/login' }, 'its release "0.feature/login" has a slash'],
    [{ name: '..', version: '..', release: '..' }, 'its name ".." stands for a directory'],
    [{ release: '0.\x1b[31m\x1b[2Jxx' }, 'its release "0.\\x1b[31m\\x1b[2Jxx" has control characters'],
    [{ version: '1\n2' }, 'its version "1\\x0a2" has control characters'],
    [{ name: 'n'.repeat(300) }, 'has 300 bytes, 255 are the most'],
  ])('touches nothing for %j', async (rpm, message) => {
    for (const more of [[], ['--result', join(home, 'out')]]) {
      const { code, stdout, stderr } = await rebuild(rpm, ...more);

      expect(stderr).toContain(`koji-adjutant rebuild: harm.src.rpm: bad main header: `);
      expect(stderr).toContain(message);
      expect(stderr.trimEnd()).toSatisfy(isPrintable);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(await readFile(join(home, 'precious/thesis.txt'), 'utf8')).toBe('a thesis');
      expect(await tree()).toEqual(
        ['a', 'a/b', 'a/b/c', 'harm.src.rpm', 'precious', 'precious/thesis.txt'].sort(),
      );
    }
  });

  it('shows a name of a file that was given without what it would do', async () => {
    const { code, stderr } = await rebuild({}, '--config', join(home, '\x1b[2Jx.conf'));

    expect(code).not.toBe(0);
    expect(stderr.replaceAll('\n', '')).toSatisfy(isPrintable);
  });
});
