import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBuilder } from './builder.ts';
import { openDevHub } from './dev-hub.ts';
import { foundBy, openedForProbe, siteProbe, writeProfile } from './site-probe.ts';
import { describeE2e, makeSrpm, type OrdinaryUser, ordinaryUser, surroundings } from './surroundings.ts';

const run = promisify(execFile);
const cli = join(import.meta.dirname, '../../src/cli.ts');
/** A device that only this test has: zeros, whatever it is called. */
const device = `/dev/koji-adjutant-rootless-${process.pid}`;
const found = ordinaryUser();

describeE2e('with a rootless engine', () => {
  if (typeof found === 'string') it('needs an ordinary user', ({ skip }) => skip(found));
  else testAs(found);
});

function testAs(user: OrdinaryUser): void {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    // Container users have ids of their own on this host.
    await chmod(directory, 0o755);
    await run('mknod', ['-m', '666', device, 'c', '1', '5']);
  });
  afterAll(async () => {
    await rm(device, { force: true });
    await rm(directory, { recursive: true, force: true });
  });

  describe('the site file', () => {
    const cache = () => join(directory, 'rebuild/cache');
    let places: { readonly device: string; readonly share: string; readonly profile: string };

    beforeAll(async () => {
      const home = join(directory, 'rebuild');
      await mkdir(home);
      await chown(home, user.uid, user.gid);
      places = { device, share: join(directory, 'share'), profile: join(directory, 'profile.json') };
      await mkdir(places.share);
      await chmod(places.share, 0o777);
      await writeFile(join(places.share, 'key'), 'signed\n');
      await writeProfile(places.profile);
    });
    afterAll(() => command('cache', 'trim', '--all', '--cache-dir', cache()));

    async function command(...args: readonly string[]) {
      const child = spawn('setpriv', [...user.becoming, process.execPath, cli, ...args], {
        cwd: join(directory, 'rebuild'),
        env: {
          PATH: process.env['PATH'],
          HOME: user.home,
          KOJI_ADJUTANT_PODMAN_SOCKET: user.socket,
          KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: surroundings().image,
        },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      child.stdin.end('id; cat ~/build/BUILD/trace; grep CapBnd /proc/self/status; touch /usr/x\n');
      const [stdout, stderr, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ]);
      return { code, stdout, stderr };
    }

    /** Builds the probe with what a rule opens; gives its log, or what was said in its place. */
    async function probe(rule: object, more: readonly string[] = []): Promise<string> {
      const site = join(directory, 'site.json');
      await writeFile(site, JSON.stringify({ version: '1.0', rules: [{ reason: 'test', ...rule }] }));
      await writeFile(
        join(directory, 'kojid.conf'),
        '[kojid]\nserver = http://h/\ntopurl = http://h/\nuser = b\npassword = x\n',
      );
      await writeFile(join(directory, 'adjutant.conf'), `[adjutant]\nsite_file = ${site}\n`);
      const spec = `BuildArch: noarch\n%description\nProbes.\n%build\nset +x +e\n${siteProbe(device)}\n${more.join('\n')}\n:\n%files\n`;
      const source = await makeSrpm(directory, 'probe', spec);
      const ended = await command(
        ...['rebuild', source, '--repo', join(surroundings().distribution, 'repo')],
        ...['-c', join(directory, 'kojid.conf'), '--cache-dir', cache()],
        ...['--result', join(directory, 'rebuild/results')],
      );
      if (ended.code !== 0) return `${ended.code}: ${ended.stdout}${ended.stderr}`;
      return readFile(join(directory, 'rebuild/results/build.log'), 'utf8');
    }

    it('opens all of it, to a build that is as sandboxed as all others', async () => {
      const log = await probe(openedForProbe(places));

      expect(log).toContain('\ndone\n');
      expect(foundBy(log)).toEqual([
        ...['device', 'mount', 'tmpfs', 'ulimit', 'shm', 'seccomp', 'sealed', 'offline'],
      ]);
    });

    it('opens a mount for writing, whose files belong to an id of the user', async () => {
      const mounts = [{ source: places.share, target: '/opt/share', read_only: false }];

      expect(foundBy(await probe({ mounts }))).toEqual(['mount', 'writable', 'sealed', 'offline']);
    });

    it('cannot open a device that only a group of the host may use', async () => {
      await chmod(device, 0o660);
      try {
        expect(await probe({ devices: [device] })).toMatch(/^\d+: .*only some users of this host may open/s);
      } finally {
        await chmod(device, 0o666);
      }
    });

    it('opens a shell in the root of a build that has failed, and leaves nothing', async () => {
      const spec = `BuildArch: noarch\n%description\nFails.\n%build\necho was here > trace\nfalse\n%files\n`;
      const source = await makeSrpm(directory, 'failing', spec);

      const { code, stdout } = await command(
        ...['rebuild', source, '--repo', join(surroundings().distribution, 'repo'), '--shell'],
        ...['--cache-dir', cache(), '--result', join(directory, 'rebuild/failed')],
      );

      expect(code).toBe(1);
      expect(stdout).toMatch(/uid=1000\(mockbuild\).*\nwas here\nCapBnd:\t0+\n/);
      expect(await readdir(join(cache(), 'cache/failed'))).toEqual([]);
      expect(await readdir(join(cache(), 'tasks'))).toEqual([]);
    });
  });

  describe('the root of a failed task', () => {
    let builder: TestBuilder;
    let warm: number;
    let cold: number;

    beforeAll(async () => {
      const hub = await openDevHub();
      builder = await TestBuilder.start(hub, { kojid: { failed_buildroot_lifetime: '600' }, user });
      await builder.ensureRepo('td1-build');
      const spec = `BuildArch: noarch\n%description\nFails.\n%build\necho was here > trace\ntest -e ~/fixed\n%files\n`;
      const source = await makeSrpm(directory, 'failing', spec);
      const fails = async () => (await builder.child(await builder.build(source), 'buildArch')).tree.id;
      cold = await fails();
      warm = await fails();
    });
    afterAll(async () => {
      await command('cache', 'trim', '--all');
      await builder[Symbol.asyncDispose]();
    });

    const command = async (name: string, ...rest: readonly string[]) => {
      const config = join(builder.directory, 'kojid.conf');
      const words = [...user.becoming, process.execPath, cli, name, '-c', config, ...rest];
      return (await run('setpriv', words, { env: { PATH: process.env['PATH'], HOME: user.home } })).stdout;
    };

    it.each([
      ['just made', () => cold],
      ['a snapshot', () => warm],
    ])('is entered as the build user, and stays between visits: %s', async (_what, task) => {
      const inside =
        'id; cat ~/build/BUILD/trace; ls /sys/class/net; grep -E "CapEff|NoNew" /proc/self/status; touch ~/fixed';

      expect(await command('shell', String(task()), inside)).toMatch(
        /uid=1000\(mockbuild\) gid=135\(mock\).*\nwas here\nlo\nCapEff:\t0+\nNoNewPrivs:\t1\n/,
      );
      expect(await command('shell', String(task()), 'ls ~/fixed')).toBe('/builddir/fixed\n');
    });

    it('goes with all that belongs to it', async () => {
      expect(await command('cache', 'trim', '--all')).toMatch(/^2 failed buildroots, /);
      expect(await builder.podman.containers()).toEqual([]);
    });
  });
}
