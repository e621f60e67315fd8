import { describe, expect, it } from 'vitest';
import { RepoOrigins } from './repo-origins.ts';

describe('RepoOrigins', () => {
  const remote = new RepoOrigins(['http://repo.example.com:8080/r/', 'https://other.example.com/x']);
  const local = new RepoOrigins(['file:///srv/repo']);

  it.each([
    'http://repo.example.com:8080/elsewhere/a.rpm',
    'https://other.example.com/a.rpm',
    'https://login:secret@other.example.com/a.rpm',
  ])('lets a repo name %s', (url) => {
    expect(remote.whyNotNamed(url)).toBeNull();
  });

  it.each([
    'file:///etc/shadow',
    'http://repo.example.com/a.rpm',
    'http://127.0.0.1:8080/a.rpm',
    'http://[::1]/a.rpm',
    'http://169.254.169.254/latest/meta-data/',
    'http://example.org/a.rpm',
  ])('lets no repo name %s', (url) => {
    expect(remote.whyNotNamed(url)).toContain('none of the repo');
  });

  it('lets a repo of this host name what lies below it, and nothing else', () => {
    expect(local.whyNotNamed('file:///srv/repo/Packages/a.rpm')).toBeNull();
    for (const url of [
      'file:///etc/shadow',
      'file:///srv/repo/../secret',
      'file:///srv/repository/a',
      'http://a/b',
    ])
      expect(local.whyNotNamed(url), url).not.toBeNull();
  });

  it.each([
    ['http://repo.example.com:8080/moved', null],
    ['http://93.184.215.14/mirror/a.rpm', null],
    ['file:///etc/shadow', 'a file: URL'],
    ['http://127.0.0.1:9000/latest/meta-data/', 'not on the internet'],
    ['http://2130706433/', 'not on the internet'],
    ['http://localhost/', 'not on the internet'],
    ['http://10.1.2.3/', 'not on the internet'],
    ['http://169.254.169.254/', 'not on the internet'],
    ['http://[::ffff:7f00:1]/', 'not on the internet'],
    ['http://[fe80::1]/', 'not on the internet'],
    ['http://0.0.0.0/', 'not on the internet'],
  ])('knows whether a redirect to %s is followed', async (to, why) => {
    const said = await remote.whyNotRedirected('http://repo.example.com:8080/a.rpm', to);

    if (why === null) expect(said).toBeNull();
    else expect(said).toContain(why);
  });

  it('goes from http to https at a server of its own in a private network, and to no other port of it', async () => {
    const inner = new RepoOrigins(['http://10.1.2.3/repo']);

    expect(await inner.whyNotRedirected('http://10.1.2.3/repo', 'https://10.1.2.3/repo')).toBeNull();
    expect(await inner.whyNotRedirected('http://10.1.2.3/repo', 'https://10.1.2.3:8443/repo')).toContain(
      'not on the internet',
    );
    expect(await remote.whyNotRedirected('http://repo.example.com:8080/a', 'https://10.1.2.3/a')).toContain(
      'not on the internet',
    );
  });

  it('does not go from https to http', async () => {
    expect(await remote.whyNotRedirected('https://other.example.com/a', 'http://93.184.215.14/a')).toContain(
      'from https',
    );
  });
});
