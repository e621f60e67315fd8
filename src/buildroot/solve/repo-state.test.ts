import { describe, expect, it } from 'vitest';
import { brokenAfter, openFileServer } from '../../../test/support/file-server.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { Fetcher } from '../../cache/fetcher.ts';
import { never } from '../../core/never.ts';
import { parseRepoState, readRepoState } from './repo-state.ts';

const urls = new Fetcher({}, new ManualClock());

interface Part {
  readonly type: string;
  readonly checksum: string;
  readonly open?: string;
}

const primary: Part = { type: 'primary', checksum: 'p', open: 'p-open' };
const group: Part = { type: 'group', checksum: 'g' };
const modules: Part = { type: 'modules', checksum: 'm', open: 'm-open' };

/** A repomd.xml as createrepo_c writes it. */
function repomd(parts: readonly Part[], revision = '1'): string {
  const data = parts.map(
    ({ type, checksum, open }) => `  <data type="${type}">
    <checksum type="sha256">${checksum}</checksum>
    ${open === undefined ? '' : `<open-checksum type="sha256">${open}</open-checksum>`}
    <location href="repodata/${checksum}-${type}.xml.gz"/><timestamp>${revision}</timestamp><size>10</size>
  </data>\n`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>${revision}</revision>
${data.join('')}</repomd>
`;
}

const basis = parseRepoState(repomd([primary, group, modules]));

describe('parseRepoState', () => {
  it.each([
    ['the revision is another', repomd([primary, group, modules], '2')],
    ['the parts come in another order', repomd([modules, primary, group])],
    ['what nobody checks is said to be another', repomd([{ ...primary, open: 'other' }, group, modules])],
    ['other parts have changed', repomd([primary, group, modules, { type: 'other', checksum: 'f' }])],
    [
      'other parts follow with digests of their own',
      repomd([primary, group, modules, { type: 'updateinfo', checksum: 'u', open: 'u-open' }]),
    ],
  ])('is the same when %s', (_what, xml) => {
    expect(basis).toMatch(/\S/);
    expect(parseRepoState(xml)).toBe(basis);
  });

  it.each([
    ['packages', repomd([{ ...primary, checksum: 'p2' }, group, modules])],
    [
      'packages, which are said to be the same',
      repomd([{ ...primary, checksum: 'p2', open: 'p' }, group, modules]),
    ],
    ['files', repomd([primary, group, modules, { type: 'filelists', checksum: 'f' }])],
    ['groups', repomd([primary, { ...group, checksum: 'g2' }, modules])],
    ['groups, which it did not have', repomd([primary, modules])],
    ['modules', repomd([primary, group, { ...modules, checksum: 'm2' }])],
    ['modules, which it did not have', repomd([primary, group])],
  ])('is another for other %s', (_what, xml) => {
    expect(parseRepoState(xml)).not.toBe(basis);
    expect(parseRepoState(xml)).not.toBeNull();
  });

  it.each([
    ['broken XML', repomd([primary]).slice(0, -12)],
    ['no XML', 'not here'],
    ['nothing', ''],
    ['a page', '<html><body>not here</body></html>'],
    ['no packages', repomd([group])],
    ['two lists of packages', repomd([primary, primary])],
    [
      'a digest that proves nothing',
      repomd([primary]).replace('<checksum type="sha256">', '<checksum type="sha1">'),
    ],
  ])('is null for %s', (_what, xml) => {
    expect(parseRepoState(xml)).toBeNull();
  });
});

describe('readRepoState', () => {
  it('reads it from the first URL that has it', async () => {
    const path = '/r/repodata/repomd.xml';
    const gone = await openFileServer({});
    const broken = await openFileServer({ [path]: brokenAfter(repomd([primary]), 50) });
    const { url } = await openFileServer({ [path]: repomd([primary, group, modules]) });

    expect(await readRepoState([`${gone.url}/r`, `${broken.url}/r`, `${url}/r/`], urls, never)).toBe(basis);
  });

  it('continues when a URL has something else in its place', async () => {
    const path = '/r/repodata/repomd.xml';
    const other = await openFileServer({ [path]: '<html><body>maintenance</body></html>' });
    const { url } = await openFileServer({ [path]: repomd([primary, group, modules]) });

    expect(await readRepoState([`${other.url}/r`, `${url}/r`], urls, never)).toBe(basis);
  });

  it('is null when no URL has it', async () => {
    const { url } = await openFileServer({});

    expect(await readRepoState([`${url}/r`], urls, never)).toBeNull();
  });

  it('stops with the reason of its signal', async () => {
    const { url } = await openFileServer({});

    await expect(readRepoState([url], urls, AbortSignal.abort(new Error('cancelled')))).rejects.toThrow(
      'cancelled',
    );
  });
});
