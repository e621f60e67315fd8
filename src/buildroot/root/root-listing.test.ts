import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installedLine, solvedPackage } from '../../../test/support/fake-root.ts';
import { failureOf, openRootBench } from '../../../test/support/root-bench.ts';
import { packagePath } from '../../cache/package-cache.ts';
import { never } from '../../core/never.ts';

const both = { solve: () => ['bash', 'sed'] };

describe('listRoot', () => {
  it.for([
    ['lacks one', ['bash'], 'it lacks sed-1-1.x86_64'],
    ['has another', ['bash', 'sed', 'evil'], 'it has evil-1-1.x86_64, which was not to be installed'],
    ['has one twice', ['bash', 'sed', 'sed'], 'it has sed-1-1.x86_64'],
    ['is empty', [], 'it lacks bash-1-1.x86_64, sed-1-1.x86_64'],
  ] as const)('refuses a root that %s', async ([_what, installed, words]) => {
    const { prepare, containers } = await openRootBench({ ...both, installed: () => installed });

    expect(await failureOf(prepare())).toMatchObject({
      code: 'buildroot-mismatch',
      faultCode: 1012,
      message: expect.stringContaining(words),
    });
    expect(containers.calls.filter((call) => call.startsWith('commit '))).toEqual([]);
  });

  it('refuses one whose database has another package under the same name', async () => {
    const listing = () => {
      const [bash, sed] = ['bash', 'sed'].map(installedLine);
      return `${bash}${sed}--\n${bash}${sed?.replace('0123', '3210')}`;
    };

    const failure = await failureOf((await openRootBench({ ...both, listing })).prepare());

    expect(failure).toMatchObject({ message: expect.stringContaining('it lacks sed-1-1.x86_64') });
  });

  it.for([
    ['without an end', installedLine('bash') + installedLine('sed'), 'has no end'],
    [
      'of more lines than packages',
      `${['bash', 'sed', 'x'].map(installedLine).join('')}--\n`,
      'several lines',
    ],
    ['that is none', 'x\n--\n', 'not as rpm was asked'],
    ['without end', 'x'.repeat(17 * 1024 * 1024), 'larger than 16 MiB'],
  ] as const)('refuses a list %s', async ([_what, listing, words]) => {
    const { prepare } = await openRootBench({ ...both, listing: () => listing });

    expect(await failureOf(prepare())).toMatchObject({ message: expect.stringContaining(words) });
  });

  it('shows an install step the packages of its solution and none else', async () => {
    const { prepare, directory, bench, spec } = await openRootBench(both);
    await bench.cache.packages.ensure([], never);

    await prepare();

    const place = join(directory, 'packages-1');
    const files = (await readdir(place, { recursive: true })).filter((path) => path.endsWith('.rpm'));
    const paths = ['bash', 'sed'].map((name) => packagePath(solvedPackage(name).checksum));
    expect(files.toSorted()).toEqual(paths.toSorted());
    expect(await readFile(join(place, paths[1] ?? ''), 'utf8')).toBe('sed');
    const writable = (spec('install-1')?.mounts ?? []).filter(
      (mount) => ('readOnly' in mount && !mount.readOnly) || ('access' in mount && mount.access === 'write'),
    );
    expect(writable).toMatchObject([{ kind: 'root', target: '/mnt/root' }]);
  });
});
