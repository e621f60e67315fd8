import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toSourceRpm } from '../../test/support/source-rpm.ts';
import { toTinyRpm } from '../../test/support/tiny-rpm.ts';
import { below } from '../core/below.ts';
import { isPrintable } from '../core/printable.ts';
import { BadRpm } from './errors.ts';
import { parseRpmHeader } from './header.ts';
import { toRpmFileName } from './nvr.ts';

const sound = { name: 'branchy', version: '1', release: '0', arch: 'noarch', sourceRpm: null };
const read = (change: Partial<Record<'name' | 'version' | 'release' | 'arch' | 'sourceRpm', string>>) =>
  parseRpmHeader(toTinyRpm({ ...sound, ...change }));

describe('names in headers', () => {
  it.each([
    { name: 'libstdc++-devel', version: '14.2.1~rc1^20250101git', release: '3.fc42,draft_7' },
    { name: '_x', version: '2:3', release: '1@a' },
    { name: 'perl(Foo::Bar)', version: '..1', release: 'a b' },
    { name: 'größer', version: '1_2', release: '%{rel}' },
    { sourceRpm: '(none)', arch: 'x86_64' },
  ])('let %j through', async (names) => {
    expect(await read(names)).toMatchObject(names);
  });

  it.each<[Partial<Record<'name' | 'version' | 'release' | 'arch' | 'sourceRpm', string>>, string]>([
    [{ release: '0.feature/login' }, 'its release "0.feature/login" has a slash'],
    [{ release: '0/../../../../precious' }, 'its release "0/../../../../precious" has a slash'],
    [{ release: '0.\x1b[31m\x1b[2Jxx' }, 'its release "0.\\x1b[31m\\x1b[2Jxx" has control characters'],
    [{ release: '..' }, 'its release ".." stands for a directory'],
    [{ version: '.' }, 'its version "." stands for a directory'],
    [{ name: '..' }, 'its name ".." stands for a directory'],
    [{ name: '/etc' }, 'its name "/etc" has a slash'],
    [{ name: '-rf' }, 'its name "-rf" begins with a dash'],
    [{ version: '1-2' }, 'its version "1-2" has a dash'],
    [{ release: '1-2' }, 'its release "1-2" has a dash'],
    [{ version: '1\n2' }, 'its version "1\\x0a2" has control characters'],
    [{ version: '1\u202e2' }, 'its version "1\\u202e2" has control characters'],
    [{ version: '1\x852' }, 'its version "1\\x852" has control characters'],
    [{ arch: '../x86_64' }, 'its arch "../x86_64" has a slash'],
    [{ name: 'n'.repeat(256) }, `its name "${'n'.repeat(100)}..." has 256 bytes, 255 are the most`],
    [{ name: 'n'.repeat(244) }, `its file name "${'n'.repeat(100)}..." has 256 bytes, 255 are the most`],
    [{ sourceRpm: '../../x-1-1.src.rpm' }, 'its source package "../../x-1-1.src.rpm" has a slash'],
    [{ sourceRpm: '' }, 'its source package "" is empty'],
  ])('refuse %j', async (names, message) => {
    const failure = read(names);

    await expect(failure).rejects.toBeInstanceOf(BadRpm);
    await expect(failure).rejects.toThrow(`bad main header: ${message}`);
  });

  it('take the longest name that a file can have', async () => {
    const name = 'n'.repeat(255 - '-1-0.src.rpm'.length);

    expect(await read({ name })).toMatchObject({ name });
  });

  it('refuse bytes that are not UTF-8', async () => {
    const bytes = toTinyRpm({ ...sound, release: 'M_' });
    bytes[bytes.indexOf('M_') + 1] = 0xfc;

    await expect(parseRpmHeader(bytes)).rejects.toThrow(
      'its release "M\\udcfc" has control characters, or bytes',
    );
  });

  it('keep every path that is made of them below its base, or are refused', async () => {
    const odd = fc.constantFrom('..', '.', '/', '-', '\0', '\x1b', '\u202e', '~', '+', 'n'.repeat(200));
    const text = fc
      .array(fc.oneof(odd, fc.string({ unit: 'binary' })), { maxLength: 4 })
      .map((some) => some.join(''));
    let accepted = 0;

    await fc.assert(
      fc.asyncProperty(text, text, text, text, async (name, version, release, sourceRpm) => {
        const header = await parseRpmHeader(toTinyRpm({ ...sound, name, version, release, sourceRpm })).catch(
          (error: unknown) => {
            expect(error).toBeInstanceOf(BadRpm);
            expect(isPrintable((error as BadRpm).message)).toBe(true); // as shown above
            return null;
          },
        );
        if (header === null) return;
        accepted += 1;
        const parts = [
          header.name,
          header.version,
          header.release,
          header.arch,
          header.nvr,
          header.sourceRpm ?? 'x',
        ];
        for (const part of parts) expect(below('/some/base', part)).toBe(`/some/base/${part}`);
        const file = toRpmFileName({ ...header, arch: header.fileArch });
        expect(below('/some/base', file)).toBe(`/some/base/${file}`);
        expect(Buffer.byteLength(file)).toBeLessThanOrEqual(255);
      }),
      { numRuns: 500 },
    );

    expect(accepted).toBeGreaterThan(0);
  });

  it('are checked in a source package as in others', async () => {
    await expect(parseRpmHeader(toSourceRpm({ release: '0/../../x' }))).rejects.toBeInstanceOf(BadRpm);
    expect((await parseRpmHeader(toSourceRpm())).nvr).toBe('hello-1.0-1');
  });
});
