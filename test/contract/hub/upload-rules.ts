import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HubClient } from '../../../src/devhub/client.ts';
import { encodeResponse } from '../../../src/hub/xmlrpc/codec.ts';
import { expectFault, since, type UseFixture, unique } from './fixture.ts';

const bytes = (text: string) => Buffer.from(text);
const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const base64 = (text: string) => bytes(text).toString('base64');
const directoryOf = (task: number) => `tasks/${task % 10_000}/${task}`;

/** How files get into the upload area (`handle_upload`, `uploadFile`, `checkUpload`). */
export function describeUploadRules(use: UseFixture): void {
  /** A task of the builder's and a way to send chunks into its directory. */
  async function openArea() {
    const task = await use().openTask();
    const filepath = directoryOf(task);
    const send = (filename: string, content: string, query: Record<string, string> = {}) =>
      use().builder.uploadChunk(
        { filename, filepath, fileverify: 'adler32', offset: '0', ...query },
        bytes(content),
      );
    const read = (filename: string) => use().file(`work/${filepath}/${filename}`);
    return { task, filepath, send, read };
  }

  describe('raw upload', () => {
    it('answers with size, offset and digest of the chunk', async () => {
      const { send, read } = await openArea();

      expect(await send('a.txt', 'hello')).toEqual({
        size: 5,
        offset: 0,
        fileverify: 'adler32',
        hexdigest: '062c0215',
      });
      expect(await send('a.txt', ' you', { offset: '5' })).toMatchObject({ size: 4, offset: 5 });
      expect(await read('a.txt')).toBe('hello you');
    });

    it('knows md5 and sha256, and nothing else', async () => {
      const { send } = await openArea();

      expect(await send('m', 'hello', { fileverify: 'md5' })).toHaveProperty('hexdigest', md5('hello'));
      expect(await send('s', 'hello', { fileverify: 'sha256' })).toHaveProperty('hexdigest', sha256('hello'));
      await expectFault(send('c', 'hello', { fileverify: 'crc32' }), 1000);
    });

    it('blows up without a digest to make', async () => {
      const { task } = await openArea();

      const upload = use().builder.uploadChunk(
        { filename: 'a', filepath: directoryOf(task), offset: '0' },
        bytes('x'),
      );

      await expectFault(upload, 1);
    });

    it('makes an empty file', async () => {
      const { send, read } = await openArea();

      expect(await send('empty', '')).toMatchObject({ size: 0, hexdigest: '00000001' });
      expect(await read('empty')).toBe('');
    });

    it('does not begin a file again unless it may overwrite', async () => {
      const { send, read } = await openArea();
      await send('a', 'first');

      await expectFault(send('a', 'second'), 1000);
      await send('a', 'new', { overwrite: '1' });

      expect(await read('a')).toBe('new');
    });

    it('cuts the file at the offset when it overwrites', async () => {
      const { send, read } = await openArea();
      await send('a', '0123456789');

      await send('a', 'xy', { offset: '4', overwrite: '1' });

      expect(await read('a')).toBe('0123xy');
    });

    it(
      'insists on ending the file when it does not overwrite',
      since(use, 'head', async () => {
        const { send } = await openArea();
        await send('a', '0123456789');

        await expectFault(send('a', 'xy', { offset: '4' }), 1000);
        expect(await send('a', '89ab', { offset: '8' })).toMatchObject({ size: 4 });
      }),
    );

    it('appends at offset -1', async () => {
      const { send, read } = await openArea();
      await send('a', 'one');

      expect(await send('a', 'two', { offset: '-1' })).toMatchObject({ offset: 3 });
      expect(await read('a')).toBe('onetwo');
    });

    it('leaves a hole for what was never sent', async () => {
      const { send, read } = await openArea();

      await send('a', 'x', { offset: '3', overwrite: '1' });

      expect(await read('a')).toBe('\0\0\0x');
    });

    it('makes subdirectories', async () => {
      const { send, filepath } = await openArea();

      await send('a', 'deep', { filepath: `${filepath}/one/two` });

      expect(await use().file(`work/${filepath}/one/two/a`)).toBe('deep');
    });

    it('goes into the directory of an open task of the host, and no other', async () => {
      const { send } = await openArea();
      const theirs = await use().openTask(use().other);
      const free = await use().newTask();
      const closed = await use().openTask();
      await use().builder.call('host.closeTask', [closed, encodeResponse(null)]);

      for (const task of [theirs, free, closed])
        await expectFault(send('a', 'x', { filepath: directoryOf(task) }), 1004);
    });

    it('does not let a user write into a task', async () => {
      const task = await use().openTask();
      const query = { filename: 'a', filepath: directoryOf(task), fileverify: 'md5', offset: '0' };

      await expectFault(use().user.uploadChunk(query, bytes('x')), 1002);
    });

    it.each([
      ['a path as name', { filename: 'sub/a' }, 'Invalid upload filename'],
      ['a hidden name', { filename: '.a' }, 'Invalid upload filename'],
      ['a directory above', { filepath: '../elsewhere' }, 'Invalid upload directory'],
      ['a directory above, in disguise', { filepath: 'tasks/../../elsewhere' }, 'Invalid upload directory'],
      ['no task', { filepath: 'tasks/1' }, 'Invalid task upload directory'],
      ['a task that is no number', { filepath: 'tasks/1/x' }, 'Invalid task upload directory'],
    ])('refuses %s', async (_name, query, text) => {
      const { send } = await openArea();

      expect(await expectFault(send('a', 'x', query), 1000)).toContain(text);
    });

    it('blows up for a directory that begins at the root', async () => {
      const { send } = await openArea();

      await expectFault(send('a', 'x', { filepath: '/contract' }), 1);
    });

    it('does not write into a directory', async () => {
      const { send, filepath } = await openArea();
      await send('a', 'x', { filepath: `${filepath}/sub` });
      const digest = ['md5', md5('x')];

      expect(await expectFault(send('sub', 'x', { overwrite: '1' }), 1000)).toContain('not a file');
      const upload = use().builder.call('uploadFile', [filepath, 'sub', 1, digest, 0, base64('x')]);
      expect(await expectFault(upload, 1000)).toContain('not a file');
    });

    it('keeps a directory for the user who came first', async () => {
      const query = { filename: 'a', filepath: unique('cli-build/contract'), fileverify: 'md5', offset: '0' };
      await use().user.uploadChunk(query, bytes('mine'));

      await expectFault(use().admin.uploadChunk({ ...query, filename: 'b' }, bytes('theirs')), 1000);
      expect(await use().file(`work/${query.filepath}/a`)).toBe('mine');
    });

    it('needs a session', async () => {
      const query = { filename: 'a', filepath: unique('contract'), fileverify: 'md5', offset: '0' };

      const fault = await expectFault(new HubClient(use().hub.url).uploadChunk(query, bytes('x')), 1002);
      expect(fault).toContain('session-id');
    });

    it('counts as a call, and may be sent again with its number', async () => {
      const session = await use().builder.subsession();
      const { filepath } = await openArea();
      const query = { filename: 'a', filepath, fileverify: 'md5', offset: '0', overwrite: '1' };
      await session.uploadChunk(query, bytes('x'));
      if (session.session !== undefined) session.session.callnum = 0;

      expect(await session.uploadChunk(query, bytes('x'))).toMatchObject({ size: 1 });
    });
  });

  describe('checkUpload', () => {
    it('gives nothing for a file that is not there', async () => {
      const { filepath } = await openArea();

      expect(await use().builder.call('checkUpload', [filepath, 'none'])).toBeNull();
    });

    it('gives size, and digests of the whole or the end', async () => {
      const { filepath, send } = await openArea();
      await send('a', 'hello');

      const plain = await use().builder.call('checkUpload', [filepath, 'a']);
      const whole = await use().builder.call('checkUpload', [filepath, 'a'], { verify: 'md5' });
      const tail = await use().builder.call('checkUpload', [filepath, 'a'], { verify: 'md5', tail: 2 });

      expect(plain).toEqual({ size: 5, mtime: expect.any(Number) });
      expect(whole).toMatchObject({ size: 5, sumlength: 5, hexdigest: md5('hello') });
      expect(tail).toMatchObject({ size: 5, sumlength: 2, hexdigest: md5('lo') });
    });

    it('refuses a digest it does not know', async () => {
      const { filepath, send } = await openArea();
      await send('a', 'hello');

      await expectFault(use().builder.call('checkUpload', [filepath, 'a'], { verify: 'crc32' }), 1000);
      await expectFault(
        use().builder.call('checkUpload', [filepath, 'a'], { verify: 'md5', tail: -1 }),
        1000,
      );
    });
  });

  describe('uploadFile', () => {
    it('takes a file in parts and checks it at the end', async () => {
      const { filepath, read } = await openArea();
      const part = (...args: [number, unknown, number, string]) =>
        use().builder.call('uploadFile', [filepath, 'a', args[0], args[1] as string, args[2], args[3]]);

      expect(await part(3, md5('one'), 0, base64('one'))).toBe(true);
      expect(await part(3, ['sha256', sha256('two')], 3, base64('two'))).toBe(true);
      expect(await part(6, ['md5', md5('onetwo')], -1, '')).toBe(true);
      expect(await read('a')).toBe('onetwo');
    });

    it('says no to a wrong size or digest', async () => {
      const { filepath } = await openArea();
      const upload = (size: number, digest: string, offset: number) =>
        use().builder.call('uploadFile', [filepath, 'a', size, ['md5', digest], offset, base64('one')]);

      expect(await upload(4, md5('one'), 0)).toBe(false);
      expect(await upload(3, md5('two'), 0)).toBe(false);
      expect(await use().builder.call('checkUpload', [filepath, 'a'])).toBeNull();
    });

    it('begins a file once, but a log as often as wanted', async () => {
      const { filepath } = await openArea();
      const begin = (name: string) =>
        use().builder.call('uploadFile', [filepath, name, 3, ['md5', md5('one')], 0, base64('one')]);
      await begin('a.txt');
      await begin('a.log');

      await expectFault(begin('a.txt'), 1000);
      expect(await begin('a.log')).toBe(true);
    });

    it('replaces any file by a last part that is all of it', async () => {
      const { filepath, send, read } = await openArea();
      await send('a.txt', 'something longer');
      const whole = (name: string, content: string) =>
        use().builder.call('uploadFile', [
          ...[filepath, name, content.length],
          ...[['sha256', sha256(content)], -1, base64(content)],
        ]);

      expect(await whole('a.txt', 'one')).toBe(true);
      expect(await whole('a.txt', 'two')).toBe(true);
      expect(await whole('empty', '')).toBe(true);

      expect(await read('a.txt')).toBe('two');
      expect(await read('empty')).toBe('');
    });

    it('keeps what lies behind a part that is written again', async () => {
      const { filepath, read } = await openArea();
      const part = (offset: number, content: string) =>
        use().builder.call('uploadFile', [
          ...[filepath, 'a', content.length],
          ...[['sha256', sha256(content)], offset, base64(content)],
        ]);
      await part(-1, 'one');
      await part(3, 'two');

      expect(await part(3, 't')).toBe(true);
      expect(await part(3, 'two')).toBe(true);

      expect(await read('a')).toBe('onetwo');
    });
  });
}
