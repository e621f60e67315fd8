import { execFileSync, spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readOrigins } from '../../src/buildroot/report/package-origins.ts';
import { never } from '../../src/core/never.ts';
import { HubFiles } from '../../src/hub/files.ts';
import { type MergeMode, mergeScript } from '../../src/tasks/createrepo/merge-script.ts';

const rpms = new URL('../fixtures/rpm', import.meta.url).pathname;
const missing = ['createrepo_c', 'mergerepo_c'].find((tool) => spawnSync(tool, ['--version']).status !== 0);

/** Makes two repos of one package each, the hub's and an external one, and merges them. */
async function merge(mode: MergeMode, blocked: string) {
  const place = await mkdtemp(join(tmpdir(), 'merge-'));
  onTestFinished(() => rm(place, { recursive: true }));
  for (const [name, rpm] of [
    ['repo_75_premerge', 'rich-data.noarch.rpm'],
    ['external', 'rich.x86_64.rpm'],
  ] as const) {
    await mkdir(join(place, name));
    await copyFile(join(rpms, rpm), join(place, name, rpm));
    execFileSync('createrepo_c', ['--quiet', join(place, name)]);
  }
  for (const name of ['in', 'merge/repo']) await mkdir(join(place, name), { recursive: true });
  await writeFile(join(place, 'in/blocklist'), `${blocked}\n`);
  const local = `file://${place}/repo_75_premerge/`;
  const external = `file://${place}/external/`;
  const script = mergeScript({ mode, arch: 'x86_64', groups: false, repos: [local, external] });
  const { status, stdout } = spawnSync('bash', ['-c', script.replaceAll('/adjutant/', `${place}/`)], {
    encoding: 'utf8',
  });
  expect(stdout).toMatch(/^\$ mergerepo_c /);
  expect(status).toBe(0);
  const origins = await readOrigins(new HubFiles([], place), 'merge/repo', never);
  return { local, external, origins };
}

describe.skipIf(missing !== undefined)(
  `mergerepo_c${missing ? ` (${missing} is not installed)` : ''}`,
  () => {
    it.each(['koji', 'simple', 'bare'] as const)(
      'writes the origins of both repos in mode %s',
      async (mode) => {
        const { origins, local, external } = await merge(mode, 'nothing');

        expect(origins.get('rich-data-1.0~rc1-2.fx.noarch')).toBe(local);
        expect(origins.get('rich-1.0~rc1-2.fx.x86_64')).toBe(external);
      },
    );

    it.each(['koji', 'simple'] as const)('leaves out blocked packages in mode %s', async (mode) => {
      const { origins, external } = await merge(mode, 'rich');

      expect([...origins.values()]).not.toContain(external);
    });
  },
);
