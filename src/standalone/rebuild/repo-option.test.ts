import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { BadRepo } from './repo-groups.ts';
import { toRepo } from './repo-option.ts';

it('takes URLs, each repo under a name of its own', async () => {
  expect(await toRepo('https://mirror/x86_64/', 0, 'x86_64')).toEqual({
    id: 'build',
    urls: ['https://mirror/x86_64'],
  });
  expect(await toRepo('file:///srv/repo', 1, 'x86_64')).toEqual({
    id: 'build-2',
    urls: ['file:///srv/repo'],
  });
});

it('takes a directory with a repo, also one whose name dnf would take for a variable', async () => {
  const directory = join(await temporaryDirectory(), 'a $basearch');
  await mkdir(join(directory, 'repodata'), { recursive: true });
  await writeFile(join(directory, 'repodata/repomd.xml'), '');

  const url = pathToFileURL(directory).href.replace('$', '%24');
  expect(await toRepo(directory, 0, 'x86_64')).toEqual({ id: 'build', urls: [url] });
});

it.each([
  [
    'https://mirror/$releasever/os/$basearch',
    'write the release, such as 42, for $releasever, i686 for $basearch',
  ],
  ['https://mirror/${basearch}/', 'write i686 for ${basearch}'],
  ['https://mirror/$arch', 'write i686 for $arch'],
  [
    'https://mirror/$YUM0/$releasever_major',
    'write its value for $YUM0 (%24 stands for the sign itself), the release, such as 42, for $releasever_major',
  ],
  ['no/such/$basearch', 'write i686 for $basearch'],
  ['ftp://mirror/x', 'an http, https or file URL, or a directory'],
  ['http://', 'not a URL'],
  ['https://mirror:port/', 'not a URL'],
  ['file://other/srv/repo', 'it names no directory of this host'],
  ['no/such/directory', 'createrepo_c makes it'],
])('refuses %s and says what to write', async (text, advice) => {
  const refused = toRepo(text, 0, 'i686');

  await expect(refused).rejects.toBeInstanceOf(BadRepo);
  await expect(refused).rejects.toThrow(advice);
});
