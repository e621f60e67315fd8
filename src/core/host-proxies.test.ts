import { describe, expect, it } from 'vitest';
import { agentProxies, readProxies, repoProxies } from './host-proxies.ts';

const own = 'localhost,127.0.0.1,::1';

describe('readProxies', () => {
  it.each([
    [{}, {}],
    [{ no_proxy: 'hub.example.com' }, {}],
    [{ http_proxy: ' ' }, {}],
    [{ http_proxy: 'http://p:3128' }, { http_proxy: 'http://p:3128', no_proxy: own }],
    [
      { HTTPS_PROXY: 'http://a', https_proxy: 'http://b' },
      { https_proxy: 'http://b', no_proxy: own },
    ],
    [{ HTTPS_PROXY: 'http://a' }, { https_proxy: 'http://a', no_proxy: own }],
    [{ http_proxy: 'p:3128' }, { http_proxy: 'http://p:3128', no_proxy: own }],
    [
      { ALL_PROXY: 'http://a', http_proxy: 'http://b' },
      { http_proxy: 'http://b', https_proxy: 'http://a', no_proxy: own },
    ],
    [
      { http_proxy: 'http://b', ftp_proxy: 'http://c', NO_PROXY: 'a.b, .c.d localhost' },
      { http_proxy: 'http://b', ftp_proxy: 'http://c', no_proxy: 'a.b,.c.d,localhost,127.0.0.1,::1' },
    ],
  ])('of %j are %j', (env, proxies) => {
    expect(readProxies(env)).toEqual(proxies);
  });

  it.each(['socks5://user:word@p:1080', 'http://', 'p p'])('refuses %j, without its login', (proxy) => {
    expect(() => readProxies({ https_proxy: proxy })).toThrow(
      /^https_proxy of the environment is .* not a proxy for http/,
    );
    expect(() => readProxies({ https_proxy: proxy })).not.toThrow(/word/);
  });
});

it("takes yum_proxy for repos, but to the environment's hosts without a proxy", () => {
  const proxies = readProxies({ http_proxy: 'http://a', no_proxy: 'hub' });

  expect(repoProxies(null, proxies)).toBe(proxies);
  expect(repoProxies('http://yum', proxies)).toEqual({
    http_proxy: 'http://yum',
    https_proxy: 'http://yum',
    no_proxy: `hub,${own}`,
  });
  expect(() => repoProxies('ftp://yum', {})).toThrow(
    /^yum_proxy is ftp:\/\/yum, which is not a proxy for http/,
  );
});

it('names hosts to an agent together with all below them, as curl understands it', () => {
  const direct = (names: string) => agentProxies({ no_proxy: names }).no_proxy?.split(',');

  expect(direct('a.b,.c.d,*.e')).toEqual(['a.b', '.a.b', 'c.d', '.c.d', 'e', '.e']);
  expect(direct('*')).toEqual(['*']);
  expect(direct('127.0.0.1,::1,10.0.0.1-10.0.0.9')).toEqual(['127.0.0.1', '::1', '10.0.0.1-10.0.0.9']);
});
