import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { copyFile, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { openSiteAuthority, whyNoAuthority } from '../support/site-authority.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { arch, describeE2e, srpm, surroundings } from './surroundings.ts';

const why = whyNoAuthority();

describeE2e('a build on a hardened host of a site with an authority of its own', () => {
  it.skipIf(why !== null)(
    `takes a private source package and packages from a server that only the host's trust store knows${why === null ? '' : ` (skipped: ${why})`}`,
    async () => {
      const { socket, image, distribution } = surroundings();
      const { url, certificate } = await openSiteAuthority((request, response) => {
        const file = createReadStream(join(distribution, 'repo', decodeURIComponent(request.url ?? '')));
        file.on('error', () => response.writeHead(404).end()).pipe(response);
      });
      const directory = await temporaryDirectory();
      onTestFinished(() => rm(directory, { recursive: true, force: true }));
      const source = join(directory, 'private.src.rpm');
      await copyFile(srpm('hello'), source);
      await writeFile(join(directory, 'bundle'), await readFile(certificate));
      const run = async (...words: readonly string[]) => {
        const cli = join(import.meta.dirname, '../../src/cli.ts');
        const command = [process.execPath, cli, ...words, '--cache-dir', join(directory, 'cache')];
        const child = spawn('bash', ['-c', `umask 077; chmod 600 ${source}; exec "$@"`, 'bash', ...command], {
          cwd: directory,
          env: {
            ...process.env,
            SSL_CERT_FILE: join(directory, 'bundle'),
            KOJI_ADJUTANT_PODMAN_SOCKET: socket,
            KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: image,
          },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        const [said, complained, [code]] = await Promise.all([
          text(child.stdout),
          text(child.stderr),
          once(child, 'close'),
        ]);
        return { code, said, complained };
      };
      onTestFinished(async () => {
        await run('cache', 'trim', '--all');
      });
      const result = join(directory, 'result');

      const ended = await run('rebuild', source, '--macro', 'dist=.td1', '--repo', url, '--result', result);

      expect(ended).toMatchObject({ code: 0, complained: '' });
      const built = await stat(join(result, `hello-1.0-1.td1.${arch}.rpm`));
      expect(built.mode & 0o777).toBe(0o644);
    },
    300_000,
  );
});
