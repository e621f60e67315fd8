import { describe, expect, it } from 'vitest';
import { RepoOrigins } from './repo-origins.ts';
import { BadLocation, joinUrl, metadataUrl, packageUrl } from './repo-urls.ts';

describe('joinUrl', () => {
  it.each([
    ['http://h/r', 'a/b', 'http://h/r/a/b'],
    ['http://h/r///', '//a/b', 'http://h/r/a/b'],
    ['http://h/r?key=1&x=/', 'a', 'http://h/r/a?key=1&x=/'],
    ['http://h/r/?key=1', 'a', 'http://h/r/a?key=1'],
    ['file:///srv/r', 'a', 'file:///srv/r/a'],
  ])('puts below %s %s', (base, path, url) => {
    expect(joinUrl(base, path)).toBe(url);
  });
});

/** Those of a repo whose parts lie at several servers and in a directory of this host. */
const origins = new RepoOrigins(['http://h/r', 'https://cdn', 'http://cdn', 'file:///srv']);

describe('packageUrl', () => {
  it.each([
    ['Packages/a-1.rpm', 'http://h/r/Packages/a-1.rpm'],
    // A path that begins with a slash is below the repo, too.
    ['/Packages/a.rpm', 'http://h/r/Packages/a.rpm'],
    ['../other/a.rpm', 'http://h/other/a.rpm'],
    ['./a.rpm', 'http://h/r/a.rpm'],
    ['gtk+-1~rc^1.rpm', 'http://h/r/gtk%2B-1~rc%5E1.rpm'],
    // The file's own name has these signs.
    ['gtk%2B.rpm', 'http://h/r/gtk%252B.rpm'],
    ['a b#c?d.rpm', 'http://h/r/a%20b%23c%3Fd.rpm'],
    ["it's(a)!*.rpm", 'http://h/r/it%27s%28a%29%21%2A.rpm'],
    ['a\\b\n.rpm', 'http://h/r/a%5Cb%0A.rpm'],
    ['\u00e4\ud800.rpm', 'http://h/r/%C3%A4%EF%BF%BD.rpm'],
    ['file:/etc/a.rpm', 'http://h/r/file%3A/etc/a.rpm'],
    ['https://cdn/x/gtk%2B.rpm?sig=a+b', 'https://cdn/x/gtk%2B.rpm?sig=a+b'],
    ['file:///srv/a.rpm', 'file:///srv/a.rpm'],
  ])('finds %j', (location, url) => {
    expect(packageUrl('http://h/r', location, origins)).toBe(url);
  });

  it.each([
    ['http://me:word@h/r/?key=1', 'http://me:word@h/r/a.rpm?key=1'],
    ['http://h/r%20s/', 'http://h/r%20s/a.rpm'],
    ['file:/srv/r', 'file:///srv/r/a.rpm'],
    ['http://h', 'http://h/a.rpm'],
  ])('below %s', (base, url) => {
    expect(packageUrl(base, 'a.rpm', origins)).toBe(url);
  });

  it.each([
    ['Packages', 'a.rpm'],
    ['/srv/r', 'a.rpm'],
    ['', 'a.rpm'],
    ['ftp://h/r', 'a.rpm'],
    ['http://', 'a.rpm'],
    ['http://h:port/', 'a.rpm'],
    ['http://h/r', '://'],
    ['http://h/r', 'rsync://h/a.rpm'],
    ['http://h/r', 'https://[a/b'],
  ])('cannot follow what is named below %j as %j', (base, location) => {
    expect(() => packageUrl(base, location, origins)).toThrow(BadLocation);
  });

  it('shows what it cannot follow, without a login', () => {
    expect(() => packageUrl('ftp://me:word@h/r', 'a\nb', origins)).toThrow(
      /^the repo's metadata names "a\\nb" below "ftp:\/\/\[secret\]@h\/r", which makes no http, https or file URL/,
    );
  });
});

describe('what lies at no place of the repo', () => {
  it.each([
    ['http://h/r', 'file:///etc/shadow'],
    ['file:///etc', 'shadow'],
    ['http://127.0.0.1:9/latest', 'meta-data'],
    ['file:///srv/r', '../../etc/shadow'],
  ])('is not followed: below %j %j', (base, location) => {
    for (const toUrl of [packageUrl, metadataUrl])
      expect(() => toUrl(base, location, origins)).toThrow(/none of the repo's own places/);
  });
});

describe('metadataUrl', () => {
  it.each([
    ['repodata/a%2Bb.xml', 'http://h/r/repodata/a%2Bb.xml'],
    ['../x/a.xml', 'http://h/x/a.xml'],
    ['http://cdn/a.xml', 'http://cdn/a.xml'],
  ])('takes %s as it is', (location, url) => {
    expect(metadataUrl('http://h/r', location, origins)).toBe(url);
  });
});
