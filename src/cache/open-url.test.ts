import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { allOf } from '../../test/support/all-of.ts';
import {
  brokenAfter,
  openFileServer,
  type ServedFile,
  withoutRange,
} from '../../test/support/file-server.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { openUrl } from './open-url.ts';

const never = new AbortController().signal;

async function read(url: string, from = 0, proxy: string | null = null) {
  const opened = await openUrl(url, { from, proxy, signal: never });
  return { from: opened.from, text: Buffer.concat(await allOf<Buffer>(opened.body)).toString() };
}

const redirect =
  (target: string, status = 302): ServedFile =>
  (response) =>
    void response.writeHead(status, { Location: target }).end('moved');

describe('openUrl', () => {
  it('reads a file from a server, from an offset on if it is asked to', async () => {
    const { url, requests } = await openFileServer({ '/a': '0123456789' });

    expect(await read(`${url}/a`)).toEqual({ from: 0, text: '0123456789' });
    expect(await read(`${url}/a`, 4)).toEqual({ from: 4, text: '456789' });
    expect(requests.map(({ range }) => range)).toEqual([null, 'bytes=4-']);
  });

  it('says that a server begins at the beginning', async () => {
    const { url } = await openFileServer({ '/a': withoutRange('0123456789') });

    expect(await read(`${url}/a`, 4)).toEqual({ from: 0, text: '0123456789' });
  });

  it('begins again when there is nothing from the offset on', async () => {
    const { url, requests } = await openFileServer({ '/a': '0123' });

    expect(await read(`${url}/a`, 4)).toEqual({ from: 0, text: '0123' });
    expect(requests.map(({ range }) => range)).toEqual(['bytes=4-', null]);
  });

  it('follows redirects, with its offset', async () => {
    const other = await openFileServer({ '/x/c': '0123456789' });
    const { url } = await openFileServer({
      '/a': redirect('/b', 301),
      '/b': redirect(`${other.url}/x/c`, 307),
    });

    expect(await read(`${url}/a`, 8)).toEqual({ from: 8, text: '89' });
    expect(other.requests).toEqual([{ url: '/x/c', range: 'bytes=8-' }]);
  });

  it.each<[string, ServedFile, string]>([
    [
      'there is no such file',
      (response) => void response.writeHead(404).end(),
      'the server answers 404 Not Found',
    ],
    ['the server fails', (response) => void response.writeHead(503).end(), 'the server answers 503'],
    ['a redirect leads nowhere', (response) => void response.writeHead(302).end(), 'the server answers 302'],
    ['redirects have no end', redirect('/a'), 'too many redirects'],
    ['a redirect leads to a place on this host', redirect('file:///etc/passwd'), 'only file, http and https'],
    ['nobody answers', (response) => void response.destroy(), 'socket hang up'],
  ])('says which URL it could not read when %s', async (_what, file, why) => {
    const { url } = await openFileServer({ '/a': file });

    await expect(read(`${url}/a`)).rejects.toMatchObject({
      code: 'url-unreachable',
      message: expect.stringMatching(new RegExp(`^cannot read ${url}/a: .*|^cannot read file:`)),
    });
    await expect(read(`${url}/a`)).rejects.toThrow(why);
  });

  it('ends the content with an error when the connection breaks', async () => {
    const { url } = await openFileServer({ '/a': brokenAfter('0123456789', 4) });

    await expect(read(`${url}/a`)).rejects.toThrow('aborted');
  });

  it('stops with the reason of its signal, before the answer and after', async () => {
    const waiting = Promise.withResolvers<void>();
    const { url } = await openFileServer({
      '/silent': () => waiting.resolve(),
      '/slow': (response) => void response.writeHead(200).write('some'),
    });
    const before = new AbortController();
    const opening = openUrl(`${url}/silent`, { proxy: null, signal: before.signal });
    await waiting.promise;
    before.abort(new Error('cancelled'));
    await expect(opening).rejects.toThrow('cancelled');

    const after = new AbortController();
    const { body } = await openUrl(`${url}/slow`, { proxy: null, signal: after.signal });
    after.abort(new Error('cancelled'));
    await expect(allOf(body)).rejects.toThrow();
  });

  it('asks the proxy', async () => {
    const { url, requests } = await openFileServer({ 'http://hub.invalid/a': 'by proxy' });

    expect(await read('http://hub.invalid/a', 0, url)).toMatchObject({ text: 'by proxy' });
    expect(requests).toHaveLength(1);
  });

  it('reads files of this host', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'a b'), '0123456789');
    const url = pathToFileURL(join(directory, 'a b')).href;

    expect(await read(url)).toEqual({ from: 0, text: '0123456789' });
    expect(await read(url, 8)).toEqual({ from: 8, text: '89' });
    expect(await read(url, 10)).toEqual({ from: 0, text: '0123456789' });
    await expect(read(`${url}c`)).rejects.toThrow(`cannot read ${url}c: there is no such file`);
    await expect(read(pathToFileURL(directory).href)).rejects.toThrow('there is no such file');
  });

  it.each(['ftp://127.0.0.1/a', 'repos/a'])('reads nothing else: %s', async (url) => {
    await expect(read(url)).rejects.toThrow('only file, http and https URLs can be read');
  });
});
