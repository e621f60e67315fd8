import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { transactionProgram } from '../../src/buildroot/solve/rpm-transaction.ts';
import { noRpmBindings } from '../../src/buildroot/steps/exit-codes.ts';
import { never } from '../../src/core/never.ts';
import { hostArch } from '../../src/rpm/arch.ts';
import {
  dnf5Image,
  image,
  missing,
  noDnf5,
  openHost,
  openRoot,
  run,
  serve,
  socketPath,
} from './tag-root-harness.ts';
import { makePackage, makeRepo, type TinySpec } from './transaction-packages.ts';

const wrongArch = hostArch() === 'x86_64' ? '' : ': its packages are for x86_64';

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-transactions-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** What a tar stream of `/opt/t` holds: kind, mode and content or target by path. */
async function treeOf(tar: Readable): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  const reading = extract();
  const entries = async () => {
    for await (const entry of reading) {
      const { name, type, mode = 0, linkname } = entry.header;
      const path = name.replace(/^(\.\/)?t\/?/, '').replace(/\/$/, '');
      found[path] = `${type} ${(mode & 0o7777).toString(8)} ${linkname ?? ''}${await text(entry)}`;
    }
  };
  await Promise.all([pipeline(tar, reading), entries()]);
  return found;
}

/** Runs a script in a bootstrap image, as root and with what `directory` holds in `/work`. */
async function inImage(bootstrap: string, directory: string, script: string) {
  await writeFile(join(directory, 'script.sh'), `exec 2>&1\n${script}\n`);
  const options = ['run', '--rm', '--network', 'none', '--volume', `${directory}:/work`];
  const args = ['--url', `unix://${socketPath}`, ...options, bootstrap, 'bash', '/work/script.sh'];
  return run('podman', args).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
  );
}

describe.skipIf(missing !== '')(`a transaction of every kind${missing}`, () => {
  const skipped = missing || wrongArch;

  it.skipIf(skipped !== '')(`is carried out as dnf 4 would${skipped}`, () =>
    comparesWith(image, 'dnf', '--nogpgcheck'),
  );

  const skipped5 = skipped || noDnf5;
  it.skipIf(skipped5 !== '')(`is carried out as dnf 5 would${skipped5}`, () =>
    comparesWith(dnf5Image, 'dnf5', '--no-gpgchecks --setopt=allow_vendor_change=1'),
  );

  async function comparesWith(bootstrap: string, dnf: string, options: string): Promise<void> {
    const directory = await temporary();
    const source = await makeRepo(directory);
    const common = `${dnf} -y --installroot=/root-of-dnf --releasever=1 --setopt=reposdir=/dev/null --setopt=cachedir=/tmp/cache --setopt=install_weak_deps=0 ${options} --repofrompath=b,file:///work/repo`;
    const oracle = await inImage(
      bootstrap,
      directory,
      `echo '%__transaction_unshare %{nil}' >/etc/rpm/macros.test
${common} install @build && ${common} builddep --allowerasing /work/wanting-1-1.src.rpm || exit 1
tar -C /root-of-dnf/opt -cf /work/expected.tar t
rpm --root /root-of-dnf -qa --qf '%{NEVRA}\\n' | sort >/work/expected.txt`,
    );
    expect(oracle.code, oracle.stdout).toBe(0);
    const expected = await treeOf(createReadStream(join(directory, 'expected.tar')));
    const packages = (await text(createReadStream(join(directory, 'expected.txt')))).trim().split('\n');
    // Otherwise the test would be one of something else.
    expect(packages.map((name) => name.replace(/-1\.(noarch|i686|x86_64)$/, ''))).toEqual([
      ...[
        'grow-2',
        'kernel-devel-1',
        'kernel-devel-2',
        'kernel-devel-3',
        'lib-1',
        'merged-1',
        'multi-1',
        'multi-1',
      ],
      ...['plain-1', 'reader-1', 'sealed-1', 'turn-1', 'watcher-1'],
    ]);

    const url = `${await serve(directory)}/repo`;
    const { host, copyFromRoot } = openHost(directory);
    const { root, logs } = await openRoot(host, bootstrap, 1, url, directory, source);
    await root.addBuildRequires(never);

    const listed = root.installed.map(
      ({ name, epoch, version, release, arch }) =>
        `${name}-${epoch === null ? '' : `${epoch}:`}${version}-${release}.${arch}`,
    );
    expect(listed.toSorted(), logs.texts.root).toEqual(packages.toSorted());
    expect(await treeOf(await copyFromRoot('/opt/t')), logs.texts.root).toEqual(expected);
  }
});

describe.skipIf(missing !== '')(`the program that carries out a transaction${missing}`, () => {
  const log = "local f = io.open('/opt/t/log', 'a')\nf:write('%{name}";
  const first: TinySpec = { files: { same: 'one', 'only-first': 'one' } };
  const again: TinySpec = {
    files: { same: 'two' },
    scripts: [`%post -p <lua>\n${log} post\\n')\nf:close()`],
  };

  /** Packages by repo; each is made in `repo` below the directory. */
  const repos: Readonly<Record<string, readonly (readonly [string, TinySpec])[]>> = {
    first: [['same', first]],
    again: [['same', again]],
    device: [
      [
        'device',
        {
          install: ['mkdir -p "$t"', 'echo x >"$t/beside"'],
          files: {},
          list: ['/opt/t/beside', '%dev(c 1 3) /opt/t/null'],
        },
      ],
    ],
    directory: [['directory', { files: { 'place/file': 'x' } }]],
    link: [
      [
        'link',
        { install: ['mkdir -p "$t"', 'ln -s elsewhere "$t/place"'], files: {}, list: ['/opt/t/place'] },
      ],
    ],
    conflict: [
      ['one', { files: { common: 'one' } }],
      ['two', { files: { common: 'two' } }],
    ],
    failing: [['failing', { scripts: ['%pre -p <lua>\nerror("not here")'] }]],
    complaining: [['complaining', { scripts: ['%post -p <lua>\nerror("too late")'] }]],
    staying: [['staying', { scripts: ['%preun -p <lua>\nerror("not yet")'] }]],
    needy: [['needy', { tags: ['Requires: what-is-missing'] }]],
  };

  /** Carries out one transaction after the other in an empty root; gives how the last one ended. */
  async function carryOut(bootstrap: string, steps: readonly (readonly [string, string])[][]) {
    const directory = await temporary();
    for (const repo of new Set(steps.flat().map(([, name]) => name))) {
      await mkdir(join(directory, repo));
      for (const [name, tiny] of repos[repo] ?? [])
        await makePackage(directory, join(directory, repo), name, tiny);
    }
    await writeFile(join(directory, 'transaction.py'), transactionProgram);
    await writeFile(join(directory, 'steps.json'), JSON.stringify(steps));
    const { code, stdout } = await inImage(
      bootstrap,
      directory,
      `mkdir -p /root-of-test/opt/t
cat >/tmp/steps.py <<'END'
import glob, json, subprocess, rpm
for step in json.load(open('/work/steps.json')):
    elements = []
    for action, repo in step:
        for path in sorted(glob.glob('/work/%s/noarch/*.rpm' % repo) + glob.glob('/work/%s/x86_64/*.rpm' % repo)):
            ts = rpm.TransactionSet('/root-of-test')
            ts.setVSFlags(rpm.RPMVSF_MASK_NOSIGNATURES)
            with open(path, 'rb') as opened:
                header = ts.hdrFromFdno(opened.fileno())
            digest = header.sprintf('%{SHA256HEADER}')
            elements.append({'action': action, 'name': header.sprintf('%{NEVRA}'), 'path': path, 'header': digest})
    json.dump(elements, open('/tmp/transaction.json', 'w'))
    print('-- step', flush=True)
    code = subprocess.call(['python3', '-I', '/work/transaction.py', '/root-of-test', '/tmp/transaction.json'])
raise SystemExit(code)
END
python3 /tmp/steps.py
code=$?
tar -C /root-of-test/opt -cf /work/found.tar t
exit $code`,
    );
    const tree = await treeOf(createReadStream(join(directory, 'found.tar')));
    return { directory, code, said: stdout.split('-- step\n').at(-1) ?? '', tree };
  }

  for (const [title, bootstrap, skipped] of [
    ["dnf 4's image", image, missing],
    ["dnf 5's image", dnf5Image, missing || noDnf5],
  ] as const) {
    const test = it.skipIf(skipped !== '');

    test(`takes another package of the same name and version in its place, in ${title}${skipped}`, async () => {
      const { code, said, tree } = await carryOut(bootstrap, [
        [['install', 'first']],
        [
          ['reinstall', 'again'],
          ['remove', 'first'],
        ],
      ]);

      expect({ code, tree }, said).toEqual({
        code: 0,
        tree: {
          '': 'directory 755 ',
          same: 'file 644 two\n',
          log: expect.stringMatching(/^file \d+ same post\n$/),
        },
      });
    });

    test(`leaves out devices and says so, in ${title}${skipped}`, async () => {
      const { code, said, tree } = await carryOut(bootstrap, [[['install', 'device']]]);

      expect({ code, names: Object.keys(tree).toSorted() }, said).toEqual({ code: 0, names: ['', 'beside'] });
      expect(said).toContain('left out, a device: /opt/t/null\n');
    });

    test.each([
      [
        'two packages that bring the same file',
        [[['install', 'conflict']]],
        'file /opt/t/common conflicts between attempted installs of one-1-1.noarch and two-1-1.noarch',
      ],
      [
        'a link in place of a directory that has files',
        [[['install', 'directory']], [['install', 'link']]],
        /unpack|conflicts/,
      ],
      ['a package whose %pre fails', [[['install', 'failing']]], /%pre(in)?\(failing-1-1\.noarch\)/],
      [
        'a package whose %preun fails',
        [[['install', 'staying']], [['remove', 'staying']]],
        /%preun\(staying-1-1\.noarch\)/,
      ],
      [
        'a package that needs what is not there',
        [[['install', 'needy']]],
        'error: Failed dependencies:\n\twhat-is-missing is needed by needy-1-1.noarch\n',
      ],
      [
        'a package that is not there, which shall go',
        [[['remove', 'first']]],
        'not in the root, from which it shall go: same-1-1.noarch',
      ],
    ] as const)(`fails for %s, in ${title}${skipped}`, async (_what, steps, words) => {
      const { code, said } = await carryOut(bootstrap, steps as unknown as (readonly [string, string])[][]);

      expect(code, said).toBe(1);
      expect(said).toMatch(words);
    });

    // What that means for the transaction differs between versions of rpm.
    test(`takes a %post that fails as dnf does, in ${title}${skipped}`, async () => {
      const { code, said, tree, directory } = await carryOut(bootstrap, [[['install', 'complaining']]]);
      const options =
        '--releasever=1 --setopt=reposdir=/dev/null --setopt=gpgcheck=0 --repofrompath=b,file:///work/complaining';
      await run('createrepo_c', ['--quiet', join(directory, 'complaining')]);
      const dnf = await inImage(
        bootstrap,
        directory,
        `dnf=$(command -v dnf || command -v dnf5)\n"$dnf" -y --installroot=/r ${options} install complaining`,
      );

      expect(code, `${said}\n${dnf.stdout}`).toBe(dnf.code);
      expect(said).toContain('Error in POSTIN scriptlet in rpm package complaining\n');
      expect(Object.keys(tree)).toContain('complaining');
    });
  }

  it('says by its status that there is no rpm for this Python', async () => {
    const directory = await temporary();
    await writeFile(join(directory, 'transaction.py'), transactionProgram);

    const { code } = await inImage(image, directory, 'python3 -I -S /work/transaction.py /root /work/none');

    expect(code).toBe(noRpmBindings);
  });
});
