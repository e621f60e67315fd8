import { expect, it } from 'vitest';
import { hubRepo } from '../plan/repos.ts';
import { describeRepoFailure } from './repo-failure.ts';

const repos = [hubRepo(['http://hub/repos/f44-build/7/x86_64'])];

it.each([
  [
    "build   293 kB/s\nError: Failed to download metadata for repo 'build': repomd.xml parser error: Parse error at line: 5 (Extra content at the end of the document\n)\n",
    'repomd.xml parser error: Parse error at line: 5 (Extra content at the end of the document',
  ],
  [
    "Error: Failed to download metadata for repo 'build': Cannot download repomd.xml: All mirrors were tried\n",
    'Cannot download repomd.xml: All mirrors were tried',
  ],
  [
    '>>> Usable URL not found\nFailed to download metadata (baseurl: "http://hub/repos/f44-build/7/x86_64") for repository "build": Usable URL not found\n',
    'Usable URL not found',
  ],
])('names the repo that dnf could not read, why, and what to do', (said, why) => {
  expect(describeRepoFailure(said, repos)).toBe(
    `the metadata of http://hub/repos/f44-build/7/x86_64 cannot be read (${why}): have the repo made again (koji regen-repo for one of a tag), or repair the server`,
  );
});

it('sends those whose authority this host does not know to the trust store', () => {
  const said =
    " - Curl error (60): SSL peer certificate or SSH remote key was not OK for https://hub/repo/repodata/repomd.xml [SSL certificate problem: unable to get local issuer certificate]\nError: Failed to download metadata for repo 'build': Cannot download repomd.xml: All mirrors were tried\n";

  expect(describeRepoFailure(said, repos)).toMatch(
    / add the authority of that server's certificate to this host's trust store/,
  );
});

it('leaves the login of a URL out', () => {
  const said = "Error: Failed to download metadata for repo 'build': x\n";

  expect(describeRepoFailure(said, [hubRepo(['http://me:open@hub/repo'])])).toContain(
    'http://[secret]@hub/repo',
  );
});

it.each([
  'Error: Unable to find a match: nothing\n',
  "Error: Failed to download metadata for repo 'of-a-package-that-lies': x\n",
  '',
])('says nothing of anything else: %j', (said) => {
  expect(describeRepoFailure(said, repos)).toBeNull();
});
