import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Fetcher } from '../../src/cache/fetcher.ts';
import { systemClock } from '../../src/core/clock.ts';
import { describeError } from '../../src/core/errors.ts';
import { readHostTrust, trustAsHost } from '../../src/core/host-trust.ts';
import { never } from '../../src/core/never.ts';
import { HubFiles } from '../../src/hub/files.ts';
import { loadTls } from '../../src/hub/transport/tls.ts';
import { createTransport } from '../../src/hub/transport/transport.ts';
import { encodeCall, encodeResponse } from '../../src/hub/xmlrpc/codec.ts';
import { allOf } from '../support/all-of.ts';
import { failureOf } from '../support/root-bench.ts';
import { openSiteAuthority, whyNoAuthority } from '../support/site-authority.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const why = whyNoAuthority();
/** Of the host of the test itself. */
const nothing = { files: [], directories: [] };
const damaged = '-----BEGIN CERTIFICATE-----\nMIIBnothing\n-----END CERTIFICATE-----\n';

/** A server of a site, and the ways in which the daemon speaks to it. What is trusted is as before when the test ends. */
async function openSite() {
  const site = await openSiteAuthority((request, response) => {
    request.resume();
    response.end(request.method === 'POST' ? encodeResponse('hello') : 'content');
  });
  const before = tls.getCACertificates('default');
  onTestFinished(() => tls.setDefaultCACertificates(before));
  return {
    ...site,
    async hub(caPath?: string) {
      const files = { verify: true, ...(caPath !== undefined && { caPath }) };
      const material = await loadTls(files);
      const transport = createTransport({
        server: site.url,
        secure: false,
        tls: material,
        timeoutMs: 20_000,
      });
      const body = Buffer.from(encodeCall('hello', []));
      const { body: answer } = await transport.post({ path: '', query: '', headers: {}, body });
      transport.dropConnections();
      return answer.toString();
    },
    topurl: () => new HubFiles([site.url], '/').text('work/a', never),
    async repo() {
      const { body } = await new Fetcher({}, systemClock).open(`${site.url}/repodata/repomd.xml`, {
        signal: never,
      });
      return Buffer.concat(await allOf<Uint8Array>(body)).toString();
    },
  };
}

/** A bundle with these texts. */
async function bundleOf(...texts: readonly string[]): Promise<string> {
  const file = join(await temporaryDirectory(), 'bundle.crt');
  await writeFile(file, texts.join(''));
  return file;
}

describe.skipIf(why !== null)(
  `a site with an authority of its own${why === null ? '' : ` (skipped: ${why})`}`,
  () => {
    it('is trusted when the host trusts it: its hub, its files and its repos', async () => {
      const { certificate, hub, topurl, repo } = await openSite();
      for (const speak of [() => hub(), topurl, repo]) {
        const said = describeError(await failureOf(speak()));
        expect(said).toContain('(the trust store of this host knows no authority that vouches for it)');
        expect(said).not.toContain('--use-system-ca');
      }
      const file = await bundleOf(damaged, await readFile(certificate, 'utf8'));

      trustAsHost(await readHostTrust({ SSL_CERT_FILE: file }, nothing));

      expect(await hub()).toContain('hello');
      expect(await topurl()).toBe('content');
      expect(await repo()).toBe('content');
    });

    it('is trusted as hub by serverca alone where that is set', async () => {
      const { certificate, hub, topurl } = await openSite();
      const other = await openSiteAuthority(() => undefined);

      expect(await hub(certificate)).toContain('hello');
      await expect(topurl()).rejects.toThrow(/certificate/);

      trustAsHost(await readHostTrust({ SSL_CERT_FILE: certificate }, nothing));
      await expect(hub(other.certificate)).rejects.toThrow(/certificate/);
    });

    it('does not trust what Node.js brings along and the host does not', async () => {
      const { certificate } = await openSite();

      trustAsHost(await readHostTrust({ SSL_CERT_FILE: certificate }, nothing));

      const extra = tls.getCACertificates('extra');
      expect(tls.getCACertificates('default')).toHaveLength(1 + extra.length);
    });
  },
);
