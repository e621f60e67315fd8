import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fileBomb } from '../../test/support/hostile-headers.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { readRpmHeader } from './header.ts';
import { toPackageFacts } from './package-facts.ts';
import { PackageReader, readPackageFacts } from './package-reader.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/rpm/${name}`, import.meta.url));

describe('readPackageFacts', () => {
  it('says in another process what the header says here', async () => {
    const path = fixture('rich.src.rpm');

    expect(await readPackageFacts(path)).toEqual(toPackageFacts(await readRpmHeader(path)));
  });

  it('takes several questions at once', async () => {
    const names = ['rich.src.rpm', 'rich.x86_64.rpm', 'rich.nosrc.rpm'];
    const facts = await Promise.all(names.map((name) => readPackageFacts(fixture(name))));

    expect(facts.map(({ isSource }) => isSource)).toEqual([true, false, true]);
  });

  it('names the file that is no package, and passes on that there is none', async () => {
    await expect(readPackageFacts(fixture('rich.spec'))).rejects.toThrow(/^rich\.spec: not an RPM/);
    await expect(readPackageFacts(fixture('missing.rpm'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('stops at an aborted signal, and takes the next question', async () => {
    await expect(readPackageFacts(fixture('rich.src.rpm'), AbortSignal.abort())).rejects.toMatchObject({
      name: 'AbortError',
    });
    await expect(readPackageFacts(fixture('rich.src.rpm'))).resolves.toMatchObject({ name: 'rich' });
  });

  it('refuses what fills all limits, and takes the next question', async () => {
    const path = join(await temporaryDirectory(), 'bomb.src.rpm');
    await writeFile(path, fileBomb());

    await expect(readPackageFacts(path)).rejects.toMatchObject({ code: 'bad-rpm' });
    await expect(readPackageFacts(fixture('rich.src.rpm'))).resolves.toMatchObject({ name: 'rich' });
  });
});

describe('PackageReader', () => {
  it('does not blame the package when its process cannot run', async () => {
    const program = join(await temporaryDirectory(), 'broken.js');
    await writeFile(program, 'process.exit(3);');

    await expect(
      new PackageReader(program).ask({ want: 'facts', path: fixture('rich.src.rpm') }),
    ).rejects.toMatchObject({ code: 'reader-failed', message: expect.stringContaining('status 3') });
  });
});
