import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { describeE2e, makeSrpm } from './surroundings.ts';

const run = promisify(execFile);
const cli = join(import.meta.dirname, '../../src/cli.ts');

describeE2e('the root of a failed build', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;
  let directory: string;
  let cold: number;
  let warm: number;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    hub = await openDevHub();
    builder = await TestBuilder.start(hub, { kojid: { failed_buildroot_lifetime: '600' }, cold: true });
    await builder.ensureRepo('td1-build');
    const spec = `BuildArch: noarch\n%description\nFails.\n%build\necho was here > trace\ntest -e ~/fixed\n%files\n`;
    const source = await makeSrpm(directory, 'failing', spec);
    const fails = async () => (await builder.child(await builder.build(source), 'buildArch')).tree.id;
    // The root of the first is just made, that of the second a snapshot.
    cold = await fails();
    warm = await fails();
  });
  afterAll(async () => {
    await command('cache', 'trim', '--all');
    await builder[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  const words = (name: string, ...rest: readonly string[]) => {
    const config = join(builder.directory, 'kojid.conf');
    return [cli, name, '-c', config, ...rest];
  };
  const command = async (name: string, ...rest: readonly string[]) =>
    (await run(process.execPath, words(name, ...rest))).stdout;
  /** What comes out of a terminal in which these lines are typed. */
  const typed = async (taskId: number, ...lines: readonly string[]) => {
    const inside = [process.execPath, ...words('shell', String(taskId))].join(' ');
    const terminal = spawn('script', ['--quiet', '--return', '--command', inside, '/dev/null']);
    const output = text(terminal.stdout);
    for (const line of lines) terminal.stdin.write(`${line}\n`);
    terminal.stdin.write('exit\n');
    return output;
  };

  it('says in root.log how to enter it, and for how long', async () => {
    expect(await builder.log(cold, 'root.log')).toMatch(
      new RegExp(`^the buildroot is kept on \\S+ for 0.2 h: koji-adjutant shell ${cold}$`, 'm'),
    );
  });

  it('is shown to those who look', async () => {
    expect(await command('shell')).toMatch(
      new RegExp(`^  task ${warm}  0 min ago  rpmbuild \\(status 1\\)`, 'm'),
    );
    expect(await command('cache')).toMatch(/^failed buildroots: 2, /m);
  });

  it.each([
    ['just made', () => cold],
    ['a snapshot', () => warm],
  ])(
    'is entered on a terminal as the build user, sandboxed, with what the step has left: %s',
    async (_what, task) => {
      const output = await typed(
        task(),
        'tty; id; cat ~/build/BUILD/trace; ls /sys/class/net; cat ~/.rpmmacros | head -1',
        'grep -E "CapEff|CapBnd|NoNewPrivs" /proc/self/status; touch /usr/x',
      );

      expect(output).toContain('/dev/pts/');
      expect(output).toMatch(/uid=1000\(mockbuild\) gid=135\(mock\)/);
      expect(output).toMatch(/was here\r\nlo\r\n%_rpmfilename /);
      expect(output).toMatch(/CapEff:\t0+\r\n/);
      expect(output).toMatch(/CapBnd:\t0+\r\n/);
      expect(output).toMatch(/NoNewPrivs:\t1\r\n/);
      expect(output).toContain("cannot touch '/usr/x'");
      expect(output).toContain('rpmbuild -bb --target');
    },
  );

  it.each([
    ['just made', () => cold],
    ['a snapshot', () => warm],
  ])('builds in the end, by the command that is shown: %s', async (_what, task) => {
    const shown = await typed(task());
    const [, repeat = ''] = /^ {2}((?:setarch \S+ )?rpmbuild -bb .*)\r$/m.exec(shown) ?? [];

    await expect(command('shell', String(task()), repeat)).rejects.toMatchObject({ code: 1 });
    await command('shell', String(task()), 'touch ~/fixed');

    expect(await command('shell', String(task()), `${repeat} 2>&1`)).toContain('exit 0');
  });

  it('is there after a restart of the daemon, with nothing else of its task', async () => {
    await builder.daemon.stop();
    await builder.restart();

    expect(await command('shell', String(warm), 'cat ~/build/BUILD/trace')).toBe('was here\n');
    expect(await command('shell', String(cold), 'cat ~/build/BUILD/trace')).toBe('was here\n');
    const containers = (await builder.podman.containers()).map((name) => name.replace(/.*-(?=\w+-\d+$)/, ''));
    expect(containers.toSorted()).toEqual(['build-1', 'build-1']);
  });

  it('leaves no container of a visit, also of one that was killed', async () => {
    const visit = spawn(process.execPath, words('shell', String(warm), 'echo in; sleep 1000'));
    await new Promise((resolve) => visit.stdout.once('data', resolve));
    visit.kill('SIGTERM');
    await new Promise((resolve) => visit.once('exit', resolve));

    const { stdout } = await run('podman', [
      '--url',
      `unix://${process.env['KOJI_ADJUTANT_TEST_ENGINE_SOCKET']}`,
      'ps',
      '-a',
      '--format',
      '{{.Names}}',
    ]);
    expect(stdout).not.toContain(`-shell-${visit.pid}`);
  });

  it('says which there are to those who ask for another', async () => {
    await expect(command('shell', '4711')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'koji-adjutant shell: task 4711 has no root to enter; kept on this host:',
      ),
    });
  });

  it('goes with all that belongs to it when it is trimmed, but not while a shell is open in it', async () => {
    const visit = spawn(process.execPath, words('shell', String(warm), 'echo in; read line'));
    await new Promise((resolve) => visit.stdout.once('data', resolve));
    expect(await command('cache', 'trim', '--all')).toMatch(/^1 failed buildroot, /);
    visit.stdin.end('\n');
    await new Promise((resolve) => visit.once('exit', resolve));

    expect(await command('cache', 'trim', '--all')).toMatch(/^1 failed buildroot, /);
    expect(await builder.podman.containers()).toEqual([]);
    expect(await builder.leftovers()).toEqual([]);
  });

  it('is refused with one line where no configuration is', async () => {
    const config = join(directory, 'none.conf');
    await writeFile(config, '[kojid]\n');

    await expect(run(process.execPath, [cli, 'shell', '-c', config, '1'])).rejects.toMatchObject({
      code: 78,
    });
    expect(await readFile(config, 'utf8')).toBe('[kojid]\n');
  });
});
