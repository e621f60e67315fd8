import { describe, expect, it } from 'vitest';
import { curlConfig } from './negotiate-transport.ts';

const request = {
  path: '/ssllogin',
  query: '',
  headers: { 'Content-Type': 'text/xml', 'Koji-Session-Key': 'k"1\\' },
  body: Buffer.from('<a b="c">\n\t\\</a>'),
} as const;

describe('curlConfig', () => {
  it('quotes what curl would take for something else', () => {
    const lines = curlConfig('https://hub/ssllogin', request, { verify: true }).split('\n');

    expect(lines).toContain('header = "Koji-Session-Key: k\\"1\\\\"');
    expect(lines).toContain('data-raw = "<a b=\\"c\\">\\n\\t\\\\</a>"');
    expect(lines).toContain('url = "https://hub/ssllogin"');
    expect(lines).not.toContain('insecure');
  });

  it.each([
    [{ verify: true, caPath: '/ca' }, 'cacert = "/ca"'],
    [{ verify: false }, 'insecure'],
  ])('checks the certificate as told: %o', (tls, line) => {
    expect(curlConfig('https://hub/ssllogin', request, tls).split('\n')).toContain(line);
  });
});
