import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RpmHeader, readRpmHeader } from '../../src/rpm/header.ts';

/** Packages are made here with rpmbuild, and read by both rpm and us. */

const missing = ['rpm', 'rpmbuild'].filter((tool) => spawnSync(tool, ['--version']).status !== 0);
const spec = fileURLToPath(new URL('../fixtures/rpm/rich.spec', import.meta.url));

/** One line per field, in rpm's query language. */
const query = [
  'name=%{NAME}',
  'version=%{VERSION}',
  'release=%{RELEASE}',
  'epoch=%{EPOCH}',
  'arch=%{ARCH}',
  'source=%|SOURCERPM?{0}:{1}|',
  'sourcerpm=%{SOURCERPM}',
  'buildhost=%{BUILDHOST}',
  'buildtime=%{BUILDTIME}',
  'size=%{SIZE}',
  'vendor=%{VENDOR}',
  'packager=%{PACKAGER}',
  'distribution=%{DISTRIBUTION}',
  'sigmd5=%{SIGMD5}',
  'payload=%{PAYLOADDIGEST}',
  '[exclusive=%{EXCLUSIVEARCH}\n][exclude=%{EXCLUDEARCH}\n][buildarch=%{BUILDARCHS}\n][nosource=%{NOSOURCE}',
  '][require=%{REQUIRENAME} %{REQUIREFLAGS} %{REQUIREVERSION}',
  '][provide=%{PROVIDENAME} %{PROVIDEFLAGS} %{PROVIDEVERSION}',
  '][file=%{FILENAMES} %{FILESIZES} %{FILEMODES} %{FILEFLAGS} %{FILEINODES} %{FILEUSERNAME} %{FILEGROUPNAME} <%{FILELINKTOS}> <%{FILEDIGESTS}>',
  ']',
].join('\n');

function queryByRpm(path: string): string[] {
  const output = execFileSync('rpm', ['-qp', '--nosignature', '--qf', query, path], { encoding: 'utf8' });
  return output.split('\n').filter((line) => line !== '');
}

function queryByUs(header: RpmHeader): string[] {
  const orNone = (value: string | number | null) => value ?? '(none)';
  const list = (name: string, values: readonly (string | number)[]) =>
    values.map((value) => `${name}=${value}`);
  return [
    `name=${header.name}`,
    `version=${header.version}`,
    `release=${header.release}`,
    `epoch=${orNone(header.epoch)}`,
    `arch=${header.arch}`,
    `source=${Number(header.isSource)}`,
    `sourcerpm=${orNone(header.sourceRpm)}`,
    `buildhost=${orNone(header.buildHost)}`,
    `buildtime=${orNone(header.buildTime)}`,
    `size=${orNone(header.sizeBytes)}`,
    `vendor=${orNone(header.vendor)}`,
    `packager=${orNone(header.packager)}`,
    `distribution=${orNone(header.distribution)}`,
    `sigmd5=${orNone(header.sigMd5)}`,
    `payload=${orNone(header.payloadSha256)}`,
    ...list('exclusive', header.exclusiveArch),
    ...list('exclude', header.excludeArch),
    ...list('buildarch', header.buildArchs),
    ...list('nosource', header.noSource),
    ...header.dependencies('requires').map((d) => `require=${d.name} ${d.flags} ${d.version}`),
    ...header.dependencies('provides').map((d) => `provide=${d.name} ${d.flags} ${d.version}`),
    ...header
      .files()
      .map(
        (f) =>
          `file=${f.path} ${f.sizeBytes} ${f.mode} ${f.flags} ${f.inode} ${f.user} ${f.group} <${f.linkTo}> <${f.digest}>`,
      ),
  ];
}

describe.skipIf(missing.length > 0)(
  `a header as rpm reads it${missing.length > 0 ? ` (no ${missing.join(', no ')})` : ''}`,
  () => {
    let top: string;
    const packages = () =>
      readdirSync(top, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.rpm'))
        .map((name) => join(top, name));

    beforeAll(() => {
      top = mkdtempSync(join(tmpdir(), 'rpm-header-'));
      mkdirSync(join(top, 'SOURCES'));
      writeFileSync(join(top, 'SOURCES', 'rich.txt'), 'a source\n');
      const build = (...args: string[]) =>
        execFileSync(
          'rpmbuild',
          [
            '--nodeps',
            '--target',
            'x86_64',
            '-D',
            `_topdir ${top}`,
            '-D',
            'debug_package %{nil}',
            '-D',
            '__os_install_post %{nil}',
            ...args,
            spec,
          ],
          { stdio: 'pipe', env: { PATH: process.env['PATH'], HOME: top, LANG: 'C.UTF-8' } },
        );
      build('-ba');
      build('-bs', '-D', 'leave_out 1');
    });

    afterAll(() => {
      rmSync(top, { recursive: true, force: true });
    });

    it('has the same fields, dependencies and files, for each kind of package', async () => {
      const paths = packages();

      expect(paths.map((path) => path.split('.').at(-2)).sort()).toEqual([
        'noarch',
        'nosrc',
        'src',
        'x86_64',
      ]);
      for (const path of paths) {
        expect(queryByUs(await readRpmHeader(path)), path).toEqual(queryByRpm(path));
      }
    });
  },
);
