import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { never } from '../core/never.ts';
import { HubFileError, HubFiles } from './files.ts';

let directory: string;
let server: http.Server;
let url: string;
let seen: string[];
let answer: http.RequestListener;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'files-'));
  seen = [];
  answer = (_request, response) => response.end('content');
  server = http.createServer((request, response) => {
    seen.push(request.url ?? '');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A listening TCP server has this kind of address.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true, force: true });
});

/** A URL where nobody listens. */
const nowhere = 'http://127.0.0.1:1/k';
const missing: http.RequestListener = (_request, response) => response.writeHead(404).end('no such file');
const cutOff: http.RequestListener = (_request, response) => {
  response.writeHead(200, { 'Content-Length': '100' }).write('only this');
  setImmediate(() => response.destroy());
};

describe('HubFiles over HTTP', () => {
  it('reads a file below the base URL', async () => {
    const files = new HubFiles([`${url}/kojifiles//`], '');

    expect(await files.text('repos/a tag/1/x#y.json', never)).toBe('content');
    expect(seen).toEqual(['/kojifiles/repos/a%20tag/1/x%23y.json']);
    expect(files.urls('a/b')).toEqual([`${url}/kojifiles/a/b`]);
  });

  it('takes the first base that has the file', async () => {
    answer = (request, response) =>
      request.url === '/a/x' ? missing(request, response) : response.end('from b');
    const files = new HubFiles([nowhere, `${url}/a`, `${url}/b`], '');

    expect(await files.text('x', never)).toBe('from b');
    expect(seen).toEqual(['/a/x', '/b/x']);
  });

  it('says that a file is missing when all bases say so', async () => {
    answer = missing;
    const files = new HubFiles([`${url}/a`, `${url}/b`], '');

    await expect(files.open('x', never)).rejects.toMatchObject({
      code: 'hub-file-missing',
      missing: true,
      message: `${url}/a/x is not there`,
    });
    expect(await files.exists('x', never)).toBe(false);
  });

  it('does not take a file for missing when one base did not answer', async () => {
    answer = missing;
    const files = new HubFiles([`${url}/a`, nowhere], '');

    await expect(files.open('x', never)).rejects.toMatchObject({
      code: 'hub-file-unreachable',
      missing: false,
      message: expect.stringContaining(nowhere),
    });
    await expect(files.exists('x', never)).rejects.toBeInstanceOf(HubFileError);
  });

  it.each([403, 500, 503])('takes status %i for a hub that cannot be read', async (status) => {
    answer = (_request, response) => response.writeHead(status).end();

    await expect(new HubFiles([url], '').open('x', never)).rejects.toMatchObject({
      missing: false,
      message: expect.stringContaining(`answers ${status}`),
    });
  });

  it('follows a redirect', async () => {
    answer = (request, response) =>
      request.url === '/x' ? response.writeHead(302, { Location: '/y' }).end() : response.end('moved');

    expect(await new HubFiles([url], '').text('x', never)).toBe('moved');
  });

  it('rejects a body that is cut off, whoever reads it', async () => {
    answer = cutOff;
    const files = new HubFiles([url], '');
    const cut = { code: 'hub-file-unreachable', message: expect.stringContaining('did not arrive whole') };

    await expect(files.text('x', never)).rejects.toMatchObject(cut);
    await expect(files.download('x', join(directory, 'x'), never)).rejects.toMatchObject(cut);
    await expect((await files.open('x', never)).toArray()).rejects.toMatchObject(cut);
    expect(await readdir(directory)).toEqual([]);
  });

  it('downloads a file', async () => {
    const content = Buffer.alloc(300_000, 'xyz');
    answer = (_request, response) => response.end(content);

    await new HubFiles([url], '').download('x', join(directory, 'x'), never);

    expect(content.equals(await readFile(join(directory, 'x')))).toBe(true);
  });

  it('leaves nothing when the download is missing or cannot be written', async () => {
    const files = new HubFiles([url], '');
    await expect(files.download('x', join(directory, 'no', 'x'), never)).rejects.toThrow('ENOENT');
    answer = missing;

    await expect(files.download('x', join(directory, 'x'), never)).rejects.toMatchObject({ missing: true });

    expect(await readdir(directory)).toEqual([]);
  });

  it('gives up with the reason when it is aborted before, and in the middle of, an answer', async () => {
    const abort = new AbortController();
    const arrived = Promise.withResolvers<void>();
    answer = (_request, response) => {
      response.writeHead(200, { 'Content-Length': '100' }).write('only this');
      arrived.resolve();
    };
    const files = new HubFiles([url], '');

    const texts = expect(files.text('x', abort.signal)).rejects.toThrow('cancelled');
    const downloads = expect(files.download('y', join(directory, 'y'), abort.signal)).rejects.toThrow(
      'cancelled',
    );
    await arrived.promise;
    abort.abort(new Error('cancelled'));

    await Promise.all([texts, downloads]);
    await expect(files.exists('x', abort.signal)).rejects.toThrow('cancelled');
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([404, 200])('lets go of an answer of status %i that nobody reads', async (status) => {
    const closed = Promise.withResolvers<void>();
    answer = (_request, response) => {
      response.once('close', closed.resolve).writeHead(status).write('and so on');
    };

    expect(await new HubFiles([url], '').exists('x', never)).toBe(status === 200);

    await closed.promise;
  });
});

describe('HubFiles of a mounted tree', () => {
  it('reads files where there is no URL', async () => {
    await mkdir(join(directory, 'work'));
    await writeFile(join(directory, 'work', 'a #1%.txt'), 'local');
    const files = new HubFiles([], directory);

    expect(await files.text('work/a #1%.txt', never)).toBe('local');
    expect(await files.exists('work/b', never)).toBe(false);
    await expect(files.open('work/b', never)).rejects.toMatchObject({
      missing: true,
      message: expect.stringContaining('topurl or topdir'),
    });
  });

  it('finds a tree whose path has characters that URLs do not', async () => {
    const odd = join(directory, 'a #1 %41');
    await mkdir(odd);
    await writeFile(join(odd, 'x'), 'odd');

    expect(await new HubFiles([], odd).text('x', never)).toBe('odd');
  });

  it.each(['work/../../etc/passwd', '..', 'work/./a', 'work//a', '/a', '', 'work/a\0', 'work/\udcff'])(
    'takes %j for missing, for it is no path below the tree',
    async (path) => {
      await expect(new HubFiles([], directory).open(path, never)).rejects.toMatchObject({
        missing: true,
        blame: 'request',
        message: expect.stringContaining('is not a path below topurl'),
      });
      await expect(new HubFiles([url], '').open(path, never)).rejects.toBeInstanceOf(HubFileError);
      expect(seen).toEqual([]);
    },
  );

  it('does not take a directory for a file', async () => {
    await expect(new HubFiles([], directory).text('.', never)).rejects.toBeInstanceOf(HubFileError);
  });
});
