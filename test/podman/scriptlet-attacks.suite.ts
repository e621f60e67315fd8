import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeError } from '../../src/core/errors.ts';
import { TextLogs } from '../support/root-bench.ts';
import { image, openHost, openRoot, run, serve } from './tag-root-harness.ts';
import { makePackage, makeSource, type TinySpec } from './transaction-packages.ts';

/**
 * Attacks of packages in the build tag, by scriptlets: they are root in the container that installs them, and outside of
 * the root that they are installed into as soon as they want.
 */
export function describeScriptletAttacks(name: string): void {
  describe(name, testAttacks);
}

/** The container that runs scriptlets, from inside of the root. */
const outside = '/proc/1/root';

/** A scriptlet in Lua; a tiny root has no shell. */
const post = (...lines: readonly string[]) => `%post -p <lua>\n${lines.join('\n')}`;

/** Lua: puts a program of the attacker in the place of one of the bootstrap image. */
const replaceProgram = (program: string, ...lines: readonly string[]) => {
  const path = `${outside}${program}`;
  return [
    `os.remove('${path}')`,
    `local f = io.open('${path}', 'w')`,
    `if f then f:write([[#!/bin/bash\n${lines.join('\n')}\n]]) f:close() posix.chmod('${path}', '0755') end`,
  ];
};

function testAttacks(): void {
  it('read no file of the host through the list of what is installed', async () => {
    const secret = 'the-secret-of-the-host';
    const directory = await temporary();
    await writeFile(join(directory, 'secret'), `${secret}\n`, { mode: 0o600 });
    const link = `ln -sf ${join(directory, 'secret')} /adjutant/out/installed`;
    const evil = { scripts: [post(...replaceProgram('/usr/bin/rpm', link))] };

    const { said, installed } = await prepare(directory, { evil });

    expect(said).not.toContain(secret);
    expect(installed).toEqual(['evil', 'plain']);
  });

  it.for([
    ['a pipe', 'mkfifo'],
    ['endless zeros', 'ln -s /dev/zero'],
  ] as const)('hold up nobody by %s in the place of a list', async ([_what, make]) => {
    const command = `rm -f /adjutant/out/installed; ${make} /adjutant/out/installed`;
    const evil = { scripts: [post(...replaceProgram('/usr/bin/rpm', command))] };

    const { installed } = await prepare(await temporary(), { evil });

    expect(installed).toEqual(['evil', 'plain']);
  });

  it('take no package out of the list of what is installed', async () => {
    const forged = `/usr/bin/rpm.true "$@" | grep -v ^evil`;
    const keep = [
      `local r = io.open('${outside}/usr/bin/rpm', 'rb')`,
      `local w = io.open('${outside}/usr/bin/rpm.true', 'wb')`,
      `w:write(r:read('*a')) w:close() r:close() posix.chmod('${outside}/usr/bin/rpm.true', '0755')`,
    ];
    const evil = { scripts: [post(...keep, ...replaceProgram('/usr/bin/rpm', forged))] };

    expect((await prepare(await temporary(), { evil })).installed).toEqual(['evil', 'plain']);
  });

  it.for(['chown', 'sed', 'touch'])(
    'take no package out of the database without being seen, by a false %s after the transaction',
    async (program) => {
      const strike = `rpm --root /mnt/root -e --justdb --nodeps --noscripts evil && echo struck >&2`;
      const evil = { scripts: [post(...replaceProgram(`/usr/bin/${program}`, strike))] };

      const { said, installed } = await prepare(await temporary(), { evil });

      expect(said).toContain('struck');
      expect(installed).toBeNull();
      expect(said).toContain('evil-1-1.noarch');
    },
  );

  it('add nothing to the list that is not in the root', async () => {
    const forged = "printf 'openssl\\t\\t1\\t1\\tnoarch\\t0123456789abcdef0123456789abcdef\\t1\\t1\\n'";
    const evil = { scripts: [post(...replaceProgram('/usr/bin/rpm', forged))] };

    expect((await prepare(await temporary(), { evil })).installed).toEqual(['evil', 'plain']);
  });

  it('leave no program on the host that another user could run', async () => {
    const plant = [
      "for _, place in ipairs({ 'out', 'in', 'cache', 'solve' }) do",
      `  local path = '${outside}/adjutant/' .. place .. '/planted'`,
      `  local f = io.open(path, 'w')`,
      `  if f then f:write('x') f:close() posix.chmod(path, '4755') print('hit ' .. place) end`,
      'end',
    ];
    const directory = await temporary();

    const { said } = await prepare(directory, { evil: { scripts: [post(...plant)] } });

    expect(said).not.toMatch(/^hit /m);
    const entries = await readdir(directory, { recursive: true });
    expect(entries.filter((path) => path.endsWith('/planted'))).toEqual([]);
  });

  it('change no device of the host', async () => {
    const before = (await stat('/dev/full')).mode;
    onTestFinished(async () => {
      if ((await stat('/dev/full')).mode !== before) await chmod('/dev/full', before & 0o7777);
    });
    const strike = [
      `posix.chmod('/dev/full', '0640')`,
      // What they are for works.
      `local f = io.open('/dev/null', 'w')`,
      `f:write('x') f:close() print('null is written')`,
    ];

    const { said, installed } = await prepare(await temporary(), { evil: { scripts: [post(...strike)] } });

    expect((await stat('/dev/full')).mode).toBe(before);
    expect(said).toContain('null is written');
    expect(installed).toEqual(['evil', 'plain']);
  });

  it('see no package of another task', async () => {
    const look = [
      'local function count(place)',
      '  local found = 0',
      '  for _, name in ipairs(posix.dir(place) or {}) do',
      "    if name:match('[.]rpm$') then found = found + 1",
      "    elseif not name:match('^[.]') then found = found + count(place .. '/' .. name) end",
      '  end',
      '  return found',
      'end',
      `print('sees ' .. count('${outside}/adjutant/cache') .. ' packages')`,
    ];
    const directory = await temporary();
    // What another task has had fetched.
    const others = join(directory, 'cache/packages/sha256/00');
    await mkdir(others, { recursive: true });
    await writeFile(join(others, `${'0'.repeat(64)}.rpm`), 'embargoed');

    const { said } = await prepare(directory, { evil: { scripts: [post(...look)] } });

    expect(said).toContain('sees 2 packages');
  });

  it('leave nothing that cannot be removed', async () => {
    const deep = [
      `local place = '${outside}/adjutant/out'`,
      "if posix.chdir(place) then for i = 1, 600 do posix.mkdir(('d'):rep(100)) posix.chdir(('d'):rep(100)) end end",
      "posix.chdir('/')",
    ];
    const directory = await temporary();

    await prepare(directory, { evil: { scripts: [post(...deep)] } });

    await rm(join(directory, 'task-1'), { recursive: true });
  });
}

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-scriptlets-'));
  onTestFinished(async () => {
    await run('rm', ['-rf', directory]);
  });
  return directory;
}

/** A root with these packages and a harmless one: what was said about it, and the names of what is in it; null where it failed. */
async function prepare(directory: string, specs: Readonly<Record<string, TinySpec>>) {
  const repo = join(directory, 'repo');
  await mkdir(repo);
  const all: Readonly<Record<string, TinySpec>> = { plain: {}, ...specs };
  for (const [name, tiny] of Object.entries(all)) await makePackage(directory, repo, name, tiny);
  const members = Object.keys(all).map((name) => `<packagereq type="mandatory">${name}</packagereq>`);
  const comps = `<?xml version="1.0"?>\n<comps><group><id>build</id><name>build</name><packagelist>${members.join('')}</packagelist></group></comps>\n`;
  await writeFile(join(directory, 'comps.xml'), comps);
  await run('createrepo_c', ['--quiet', '-g', join(directory, 'comps.xml'), repo]);
  const source = await makeSource(directory, []);
  const url = `${await serve(directory)}/repo`;
  const { host } = openHost(directory, process.env['KOJI_ADJUTANT_TEST_ENGINE_SOCKET']);
  const logs = new TextLogs();
  try {
    const { root } = await openRoot(host, image, 1, url, directory, source, 'build', logs);
    return { said: logs.texts.root, installed: root.installed.map(({ name }) => name).toSorted() };
  } catch (error) {
    return { said: `${logs.texts.root}${describeError(error)}`, installed: null };
  }
}
