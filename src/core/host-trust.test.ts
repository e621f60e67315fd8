import { spawnSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { readHostTrust, toBundle } from './host-trust.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const reason = hasOpenssl ? '' : ' (skipped: there is no openssl)';
const damaged = '-----BEGIN CERTIFICATE-----\nMIIBnothing\n-----END CERTIFICATE-----\n';

/** A host with some authorities, and files of bundles. */
async function openHost(...names: readonly string[]) {
  const directory = await temporaryDirectory();
  const path = (name: string) => join(directory, name);
  const authorities: string[] = [];
  for (const name of names) {
    const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)];
    const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const made = spawnSync('openssl', [...kind, '-subj', `/CN=${name}`, ...files], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(made.stderr);
    authorities.push(await readFile(path(`${name}.crt`), 'utf8'));
  }
  const places = { files: [path('bundle'), path('missing'), path('link')], directories: [path('hashed')] };
  return {
    path,
    authorities,
    /** What is trusted there under an environment. */
    read: (env: NodeJS.ProcessEnv = {}) => readHostTrust(env, places),
  };
}

describe.skipIf(!hasOpenssl)(`the trust store of a host${reason}`, () => {
  it('is its bundle, each authority once, behind whichever links', async () => {
    const { path, authorities, read } = await openHost('one', 'two');
    await writeFile(path('bundle'), `# one\n${authorities.join('\n')}${authorities.join('')}`);
    await symlink('bundle', path('link'));

    expect(await read()).toEqual({ certificates: authorities, sources: [path('bundle')], problems: [] });
  });

  it('has what lies in the directory under the hash of its name, and nothing else of that', async () => {
    const { path, authorities, read } = await openHost('one', 'two', 'three');
    await writeFile(path('bundle'), authorities[0] ?? '');
    await mkdir(path('hashed'));
    await writeFile(path('hashed/0123abcd.0'), authorities[1] ?? '');
    await writeFile(path('hashed/three.crt'), authorities[2] ?? '');

    expect(await read()).toEqual({
      certificates: authorities.slice(0, 2),
      sources: [path('bundle'), path('hashed')],
      problems: [],
    });
  });

  it.each(['SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE'])(
    'has what the bundle holds that %s names, too',
    async (variable) => {
      const { path, authorities, read } = await openHost('one', 'two');
      await writeFile(path('bundle'), authorities[0] ?? '');

      expect(await read({ [variable]: path('two.crt') })).toEqual({
        certificates: authorities,
        sources: [path('bundle'), path('two.crt')],
        problems: [],
      });
    },
  );

  it('has the directories of SSL_CERT_DIR beside the bundle', async () => {
    const { path, authorities, read } = await openHost('one', 'two');
    await writeFile(path('bundle'), authorities[0] ?? '');
    await mkdir(path('mine'));
    await writeFile(path('mine/0123abcd.0'), authorities[1] ?? '');

    const { certificates, problems } = await read({ SSL_CERT_DIR: `${path('mine')}:${path('gone')}` });

    expect(certificates).toEqual(authorities);
    expect(problems).toEqual([`cannot read the directory ${path('gone')} (SSL_CERT_DIR)`]);
  });

  it('is without an entry that is damaged, and says which that is', async () => {
    const { path, authorities, read } = await openHost('one', 'two');
    await writeFile(
      path('bundle'),
      `${authorities[0]}${damaged}${authorities[1]}-----BEGIN CERTIFICATE-----\nMII`,
    );

    const { certificates, problems } = await read();

    expect(certificates).toEqual(authorities);
    const line = (authorities[0] ?? '').split('\n').length;
    expect(problems).toEqual([
      expect.stringContaining(
        `certificate 2 of ${path('bundle')}, in line ${line}, is damaged and left out: `,
      ),
      expect.stringMatching(/^certificate 4 of .* is damaged and left out: it has no end$/),
    ]);
  });

  it('becomes one bundle for containers, private authorities included', async () => {
    const { path, authorities, read } = await openHost('one', 'two');
    await writeFile(path('bundle'), authorities.join(''));

    expect(toBundle(await read())).toContain(authorities.join(''));
  });
});

it('is empty on a host without one, and says where the environment misleads', async () => {
  const directory = await temporaryDirectory();
  const places = { files: [join(directory, 'bundle')], directories: [join(directory, 'hashed')] };
  const file = join(directory, 'no.pem');

  expect(await readHostTrust({}, places)).toEqual({ certificates: [], sources: [], problems: [] });
  expect((await readHostTrust({ SSL_CERT_FILE: file }, places)).problems).toEqual([
    expect.stringContaining(`cannot read ${file} (SSL_CERT_FILE): ENOENT`),
  ]);
  await writeFile(file, 'no certificate');
  expect((await readHostTrust({ CURL_CA_BUNDLE: file }, places)).problems).toEqual([
    `${file} (CURL_CA_BUNDLE) holds no certificate in PEM form`,
  ]);
});
