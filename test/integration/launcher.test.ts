import { execFile } from 'node:child_process';
import { appendFile, chmod, cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const project = join(import.meta.dirname, '../..');
const compiler = `#!/bin/bash
mkdir -p dist.new && echo 'console.log("ran", ...process.argv.slice(2))' >dist.new/cli.js
`;

/** A checkout with a compiler that makes one program of whatever there is. */
class Checkout {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<Checkout> {
    const checkout = new Checkout(await temporaryDirectory());
    for (const path of ['bin/koji-adjutant', 'scripts/build.sh'])
      await cp(join(project, path), join(checkout.directory, path), { recursive: true });
    const sources = ['src/cli.ts', 'src/core/clock.ts', 'src/core/clock.test.ts'];
    for (const path of [...sources, 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'])
      await checkout.write(path, '{}\n');
    await checkout.write('node_modules/.bin/tsc', compiler);
    await chmod(join(checkout.directory, 'node_modules/.bin/tsc'), 0o755);
    await symlink(process.execPath, join(checkout.directory, 'node_modules/.bin/node'));
    return checkout;
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.directory, path)), { recursive: true });
    await writeFile(join(this.directory, path), text);
  }

  append(path: string): Promise<void> {
    return appendFile(join(this.directory, path), '// changed\n');
  }

  remove(path: string): Promise<void> {
    return rm(join(this.directory, path), { recursive: true });
  }

  async run(program: string, ...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(join(this.directory, program), args);
    return stdout.trimEnd();
  }
}

describe('bin/koji-adjutant', () => {
  const stale = { code: 69, stderr: expect.stringMatching(/dist is not what .*src would be built to: run /) };

  it('runs what was built from these sources', async () => {
    const checkout = await Checkout.make();
    await checkout.run('scripts/build.sh');

    expect(await checkout.run('bin/koji-adjutant', 'version', '-v')).toBe('ran version -v');
  });

  it.each<[string, (checkout: Checkout) => Promise<void>]>([
    ['source file was changed', (checkout) => checkout.append('src/core/clock.ts')],
    ['source file was added', (checkout) => checkout.write('src/new.ts', '')],
    ['source file was removed', (checkout) => checkout.remove('src/core/clock.ts')],
    ['dependency was changed', (checkout) => checkout.append('package-lock.json')],
  ])('runs nothing after a %s, until it is built again', async (_, change) => {
    const checkout = await Checkout.make();
    await checkout.run('scripts/build.sh');
    await change(checkout);

    await expect(checkout.run('bin/koji-adjutant', 'version')).rejects.toMatchObject(stale);

    await checkout.run('scripts/build.sh');
    expect(await checkout.run('bin/koji-adjutant', 'version')).toBe('ran version');
  });

  it('runs nothing when it is not known what dist was built from', async () => {
    const checkout = await Checkout.make();
    await checkout.write('dist/cli.js', '');

    await expect(checkout.run('bin/koji-adjutant', 'version')).rejects.toMatchObject(stale);
  });

  it('does not mind tests that have changed, nor a tree without sources', async () => {
    const checkout = await Checkout.make();
    await checkout.run('scripts/build.sh');
    await checkout.append('src/core/clock.test.ts');

    expect(await checkout.run('bin/koji-adjutant')).toBe('ran');

    await checkout.remove('src');
    expect(await checkout.run('bin/koji-adjutant')).toBe('ran');
  });
});

describe('scripts/build.sh', () => {
  it('leaves the old build as it is when a build fails', async () => {
    const checkout = await Checkout.make();
    await checkout.run('scripts/build.sh');
    await checkout.write('node_modules/.bin/tsc', '#!/bin/bash\nmkdir dist.new; exit 2\n');
    await checkout.append('src/cli.ts');

    await expect(checkout.run('scripts/build.sh')).rejects.toMatchObject({ code: 2 });
    await checkout.remove('src');

    expect(await checkout.run('bin/koji-adjutant')).toBe('ran');
  });
});
