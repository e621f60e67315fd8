import { execFile } from 'node:child_process';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkGrants, planGrants, type SiteGrants } from '../../src/buildroot/plan/site-rules.ts';
import { hostFiles } from '../../src/config/format/file-system.ts';
import { readSiteFile } from '../../src/config/site-file.ts';
import { AttackBench } from './attack-bench.ts';
import { foundBy, openedForProbe, siteProbe, writeProfile } from './site-probe.ts';
import { describeE2e } from './surroundings.ts';

const run = promisify(execFile);
/** A device that only this test has: zeros, whatever it is called. */
const device = `/dev/koji-adjutant-test-${process.pid}`;

describeE2e('a build for which the site file opens something', () => {
  let bench: AttackBench;
  let profile: string;
  let share: string;

  beforeAll(async () => {
    bench = await AttackBench.open();
    await run('mknod', ['-m', '666', device, 'c', '1', '5']);
    share = join(bench.directory, 'share');
    await mkdir(share);
    await chmod(share, 0o777);
    await writeFile(join(share, 'key'), 'signed\n');
    profile = join(bench.directory, 'profile.json');
    await writeProfile(profile);
  });
  afterAll(async () => {
    await rm(device, { force: true });
    await bench[Symbol.asyncDispose]();
  });

  async function opening(rule: object): Promise<SiteGrants> {
    const path = join(bench.directory, 'site.json');
    await writeFile(path, JSON.stringify({ version: '1.0', rules: [{ reason: 'test', ...rule }] }));
    const notes = { problems: [], warnings: [] };
    const site = readSiteFile(path, [], hostFiles, notes);
    expect(notes).toEqual({ problems: [], warnings: [] });
    const planned = planGrants(site, { tag: null, channel: null });
    await checkGrants(planned, site);
    return planned;
  }

  const script = siteProbe(device);

  it('has that, and is as sandboxed as all others', async () => {
    const opened = await opening(openedForProbe({ device, share, profile }));

    const { log, error } = await bench.build({ script, grants: opened });

    expect(log, String(error)).toContain('\ndone\n');
    expect(foundBy(log)).toEqual([
      'device',
      'mount',
      'tmpfs',
      'ulimit',
      'shm',
      'seccomp',
      'sealed',
      'offline',
    ]);
  });

  it('may write to a mount where that is said', async () => {
    const mounts = [{ source: share, target: '/opt/share', read_only: false }];

    const { log } = await bench.build({ script, grants: await opening({ mounts }) });

    expect(foundBy(log)).toEqual(['mount', 'writable', 'sealed', 'offline']);
  });

  it('has none of it without the file', async () => {
    const { log } = await bench.build({ script });

    expect(foundBy(log)).toEqual(['sealed', 'offline']);
  });
});
