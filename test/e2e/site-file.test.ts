import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkOpening, planOpening, type SiteOpening } from '../../src/buildroot/site-opening.ts';
import { hostFiles } from '../../src/config/config-files.ts';
import { readSiteFile } from '../../src/config/site-file.ts';
import { AttackBench } from './attack-bench.ts';
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
    const engine = JSON.parse(await readFile('/usr/share/containers/seccomp.json', 'utf8'));
    const names = ['symlink', 'symlinkat'];
    engine.syscalls = [
      { names, action: 'SCMP_ACT_ERRNO', errnoRet: 38, args: [] },
      ...engine.syscalls.map((rule: { names: string[] }) => ({
        ...rule,
        names: rule.names.filter((name) => !names.includes(name)),
      })),
    ];
    profile = join(bench.directory, 'profile.json');
    await writeFile(profile, JSON.stringify(engine));
  });
  afterAll(async () => {
    await rm(device, { force: true });
    await bench[Symbol.asyncDispose]();
  });

  async function opening(rule: object): Promise<SiteOpening> {
    const path = join(bench.directory, 'site.json');
    await writeFile(path, JSON.stringify({ version: '1.0', rules: [{ reason: 'test', ...rule }] }));
    const notes = { problems: [], warnings: [] };
    const site = readSiteFile(path, [], hostFiles, notes);
    expect(notes).toEqual({ problems: [], warnings: [] });
    const planned = planOpening(site, { tag: null, channel: null });
    await checkOpening(planned, site);
    return planned;
  }

  const script = `
test "$(head -c 2 ${device} | od -An -tx1)" = " 00 00" && echo has device
test "$(cat /opt/share/key)" = signed && echo has mount
touch /opt/share/x 2>/dev/null && echo has writable
test "$(stat -f -c %T /scratch)" = tmpfs && touch /scratch/x && echo has tmpfs
test "$(ulimit -n)" = 77 && echo has ulimit
test "$(df --output=size /dev/shm | tail -1 | tr -d ' ')" = 8192 && echo has shm
ln -s a b || echo has seccomp
grep -q '^CapEff:.0*$' /proc/self/status && grep -q '^NoNewPrivs:.1$' /proc/self/status && echo sealed
test "$(ls /sys/class/net)" = lo && echo offline
echo done`;
  const found = (log: string) =>
    [...log.matchAll(/^(?:has (\S+)|sealed|offline)$/gm)].map(([line, word]) => word ?? line);

  it('has that, and is as sealed as all others', async () => {
    const opened = await opening({
      ...{ devices: [device], mounts: [{ source: share, target: '/opt/share' }] },
      ...{
        tmpfs: [{ target: '/scratch', size: '4M' }],
        ulimits: { nofile: 77 },
        shm_size: '8M',
        seccomp: profile,
      },
    });

    const { log, error } = await bench.build({ script, opening: opened });

    expect(log, String(error)).toContain('\ndone\n');
    expect(found(log)).toEqual(['device', 'mount', 'tmpfs', 'ulimit', 'shm', 'seccomp', 'sealed', 'offline']);
  });

  it('may write to a mount where that is said', async () => {
    const mounts = [{ source: share, target: '/opt/share', read_only: false }];

    const { log } = await bench.build({ script, opening: await opening({ mounts }) });

    expect(found(log)).toEqual(['mount', 'writable', 'sealed', 'offline']);
  });

  it('has none of it without the file', async () => {
    const { log } = await bench.build({ script });

    expect(found(log)).toEqual(['sealed', 'offline']);
  });
});
