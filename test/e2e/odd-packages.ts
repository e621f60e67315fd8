import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const specs = join(import.meta.dirname, '../fixtures/odd-packages');

/** Sources that some of the specs name; what is in them does not matter. */
const sources = { 'nosource.txt': '', 'secret.tar.gz': '', 'another.spec': 'Name: another\n' };

/** Names of all specs of `test/fixtures/odd-packages`. */
export async function oddPackages(): Promise<readonly string[]> {
  const files = await readdir(specs);
  return files.filter((file) => file.endsWith('.spec')).map((file) => file.slice(0, -'.spec'.length));
}

/**
 * Makes the source package of a spec in `directory` and gives its path. The macro `odd_packages` is defined here and
 * nowhere else, for specs that are to be another thing in a buildroot.
 */
export async function makeOddPackage(directory: string, name: string): Promise<string> {
  const top = await mkdtemp(join(tmpdir(), 'koji-adjutant-odd-'));
  try {
    for (const [file, content] of Object.entries(sources)) await writeFile(join(top, file), content);
    const defines = [
      `_topdir ${top}`,
      `_sourcedir ${top}`,
      `_srcrpmdir ${top}/made`,
      'dist .td1',
      'odd_packages 1',
    ];
    const options = ['-bs', '--quiet', ...defines.flatMap((define) => ['--define', define])];
    await run('rpmbuild', [...options, join(specs, `${name}.spec`)]);
    const [made] = await readdir(join(top, 'made'));
    if (made === undefined) throw new Error(`rpmbuild made no source package of ${name}.spec`);
    await run('mv', [join(top, 'made', made), directory]);
    return join(directory, made);
  } finally {
    await rm(top, { recursive: true });
  }
}
