import { createHash } from 'node:crypto';
import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { FakeHub, fault, type Reply, type SeenCall, value } from '../../test/support/fake-hub.ts';
import { openFakeSession } from '../../test/support/open-fake-session.ts';
import { adler32, adler32Hex } from '../hub/session/adler32.ts';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { chunkBytes } from './append-upload.ts';
import { taskUploadPath } from './task-uploads.ts';
import { Uploader } from './uploader.ts';

let hub: FakeHub;
let clock: FakeClock;
let uploader: Uploader;
let directory: string;
let path: string;
/** What the fake hub has on its disk under the one name of these tests. */
let stored: Buffer | null;

const target = { directory: 'tasks/5/5', name: 'build.log' };

/** Writes as the real hub does with overwrite=1: truncate at the offset, then write. */
function store({ query, body }: SeenCall): Reply {
  const offset = Number(query.get('offset'));
  stored = Buffer.concat([stored?.subarray(0, offset) ?? Buffer.alloc(0), body]);
  return value({ size: body.length, fileverify: 'adler32', offset, hexdigest: adler32Hex(adler32(body)) });
}

function check({ keywords }: SeenCall): Reply {
  if (stored === null) return value(null);
  const verified = keywords['verify'] === undefined ? {} : { hexdigest: adler32Hex(adler32(stored)) };
  return value({ size: stored.length, mtime: 1.5, ...verified });
}

/** The fake hub's answer to the one file of these tests. */
function checkMany({ params }: SeenCall): Reply {
  expect(params).toEqual([sizeAsked]);
  return value([[stored === null ? null : { size: stored.length, mtime: 1.5 }]]);
}

const uploads = (): SeenCall[] => hub.seen.filter(({ method }) => method === 'rawUpload');
const offsets = (): (string | null)[] => uploads().map(({ query }) => query.get('offset'));
const checks = (): SeenCall[] => hub.seen.filter(({ method }) => method === 'checkUpload');
/** What was asked about the sizes of finished files. */
const confirmed = (): RpcValue[] =>
  hub.seen
    .filter(({ method }) => method === 'multiCall')
    .flatMap(({ params: [calls] }) => calls as RpcValue[]);
const sizeAsked = [{ methodName: 'checkUpload', params: ['tasks/5/5', 'build.log'] }];

/** Sends one file, as a finished one. */
const send = async (options: { readonly resume?: boolean; readonly signal?: AbortSignal } = {}) =>
  (await uploader.files([{ path, target }], options))[0];

beforeEach(async () => {
  hub = await FakeHub.start();
  hub.on('rawUpload', store).on('checkUpload', check).on('multiCall', checkMany);
  clock = new FakeClock();
  uploader = new Uploader(await openFakeSession(hub, clock), clock);
  directory = await mkdtemp(join(tmpdir(), 'upload-'));
  path = join(directory, 'local');
  stored = null;
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

describe('adler32', () => {
  it.each([
    ['', '00000001'],
    ['Wikipedia', '11e60398'],
    ['\u00ff'.repeat(500_000), '9b0bf0d8'],
  ])('of %.10j is %s', (text, expected) => {
    const bytes = Buffer.from(text, 'latin1');

    expect(adler32Hex(adler32(bytes))).toBe(expected);
    expect(adler32(bytes.subarray(3), adler32(bytes.subarray(0, 3)))).toBe(adler32(bytes));
  });
});

describe('taskUploadPath', () => {
  it('spreads tasks over ten thousand directories', () => {
    expect(taskUploadPath(42)).toBe('tasks/42/42');
    expect(taskUploadPath(120_042)).toBe('tasks/42/120042');
  });
});

describe('file', () => {
  const content = Buffer.alloc(2 * chunkBytes + 100, 'koji builds\n');

  it('arrives in ordered chunks and is confirmed', async () => {
    await writeFile(path, content);

    const sent = await send();

    expect(stored?.equals(content)).toBe(true);
    expect(sent).toEqual({ sizeBytes: content.length, adler32: adler32Hex(adler32(content)) });
    expect(offsets()).toEqual(['0', String(chunkBytes), String(2 * chunkBytes)]);
    expect(Object.fromEntries(uploads()[0]?.query ?? [])).toEqual({
      filename: 'build.log',
      filepath: 'tasks/5/5',
      fileverify: 'adler32',
      offset: '0',
      overwrite: '1',
    });
    expect(checks()).toEqual([]);
    expect(confirmed()).toEqual(sizeAsked);
  });

  it('arrives when it is empty', async () => {
    await writeFile(path, '');

    await send();

    expect(stored?.length).toBe(0);
    expect(offsets()).toEqual(['0']);
  });

  it('sends a broken chunk again and has the whole checked', async () => {
    await writeFile(path, content);
    const broken = value({ size: 5, hexdigest: '00000000' });
    hub.on('rawUpload', store, broken, store);

    await send();

    expect(offsets()).toEqual(['0', String(chunkBytes), String(chunkBytes), String(2 * chunkBytes)]);
    expect(checks()).toMatchObject([{ keywords: { verify: 'adler32' } }]);
    expect(stored?.equals(content)).toBe(true);
  });

  it('has the whole checked when the answer of a chunk was lost', async () => {
    await writeFile(path, 'abc');
    hub.on('rawUpload', 'drop', store);

    await send();

    expect(checks()).toMatchObject([{ keywords: { verify: 'adler32' } }]);
  });

  it('waits for a file that an earlier request still has locked', async () => {
    await writeFile(path, 'abc');
    hub.on('rawUpload', fault(1001, 'locked'), fault(1001, 'locked'), store);

    await send();

    expect(clock.slept).toEqual([1000, 1000]);
    expect(stored?.toString()).toBe('abc');
  });

  it.each([
    [
      'a chunk stays broken',
      'rawUpload',
      value({ size: 1, hexdigest: '00000000' }),
      /instead of 3 with 024d0127/,
    ],
    ['the file is not there', 'multiCall', value([[null]]), /does not have it/],
    ['the size is wrong', 'multiCall', value([[{ size: 9, mtime: 1 }]]), /has 9 bytes of 3/],
  ])('fails when %s', async (_name, method, reply, message) => {
    await writeFile(path, 'abc');
    hub.on(method, reply);

    await expect(send()).rejects.toMatchObject({
      code: 'upload-failed',
      message: expect.stringMatching(message),
    });
  });

  it('fails when the whole has another checksum after a repeated chunk', async () => {
    await writeFile(path, 'abc');
    hub.on('rawUpload', 'drop', store).on('checkUpload', value({ size: 3, mtime: 1, hexdigest: '00000000' }));

    await expect(send()).rejects.toThrow(/checksum 00000000 instead of 024d0127/);
  });

  it('continues where an earlier upload was broken off', async () => {
    await writeFile(path, content);
    stored = content.subarray(0, chunkBytes + 7);

    const sent = await send({ resume: true });

    expect(offsets()).toEqual([String(chunkBytes + 7), String(2 * chunkBytes + 7)]);
    expect(stored.equals(content)).toBe(true);
    expect(sent?.adler32).toBe(adler32Hex(adler32(content)));
  });

  it('starts anew when something else is there', async () => {
    await writeFile(path, 'abcdef');
    stored = Buffer.from('abX');

    await send({ resume: true });

    expect(offsets()).toEqual(['0']);
    expect(String(stored)).toBe('abcdef');
  });

  it('stops when aborted', async () => {
    await writeFile(path, content);
    const controller = new AbortController();
    hub.on('rawUpload', (call) => {
      controller.abort(new Error('task cancelled'));
      return store(call);
    });

    await expect(send({ signal: controller.signal })).rejects.toThrow('task cancelled');
    expect(uploads()).toHaveLength(1);
  });
});

describe('without raw uploads', () => {
  const content = Buffer.alloc(2 * chunkBytes + 100, 'koji builds\n');
  const parts = (): SeenCall[] => hub.seen.filter(({ method }) => method === 'uploadFile');

  /** Writes as the real hub does: -1 with all of the file replaces it, anything else writes into it. */
  function storePart({ params }: SeenCall): Reply {
    const [directory, name, size, checksum, offset, data] = params;
    const bytes = Buffer.from(String(data), 'base64');
    const digest = createHash('sha256').update(bytes).digest('hex');
    expect([directory, name, size, checksum]).toEqual([
      'tasks/5/5',
      'build.log',
      bytes.length,
      ['sha256', digest],
    ]);
    const start = offset === -1 ? 0 : Number(offset);
    const rest = offset === -1 ? Buffer.alloc(0) : stored?.subarray(start + bytes.length);
    stored = Buffer.concat([stored?.subarray(0, start) ?? Buffer.alloc(0), bytes, rest ?? Buffer.alloc(0)]);
    return value(true);
  }

  beforeEach(async () => {
    hub.on('uploadFile', storePart).on('rawUpload', fault(1000, 'no raw uploads'));
    uploader = new Uploader(await openFakeSession(hub, clock, { fastUpload: false }), clock);
  });

  it('sends ordered parts, the first of which replaces what is there, and has the size confirmed', async () => {
    await writeFile(path, content);
    stored = Buffer.alloc(content.length + 9);

    const sent = await send();

    expect(stored.equals(content)).toBe(true);
    expect(sent).toEqual({ sizeBytes: content.length, adler32: adler32Hex(adler32(content)) });
    expect(parts().map(({ params }) => params[4])).toEqual([-1, chunkBytes, 2 * chunkBytes]);
    expect(checks()).toEqual([]);
    expect(confirmed()).toEqual(sizeAsked);
    expect(uploads()).toEqual([]);
  });

  it('makes an empty file, and sends a growing one each byte once', async () => {
    await writeFile(path, '');
    await send();
    expect(stored?.length).toBe(0);

    const upload = uploader.append(path, target);
    await writeFile(path, 'one\n');
    await upload.push();
    await appendFile(path, 'two\n');
    await upload.finish();

    expect(String(stored)).toBe('one\ntwo\n');
    expect(parts().map(({ params }) => [params[4], params[2]])).toEqual([
      [-1, 0],
      [-1, 4],
      [4, 4],
    ]);
  });

  it('sends a part again that the hub calls damaged, and has the whole compared', async () => {
    await writeFile(path, 'abc');
    hub.on('uploadFile', value(false), storePart);

    await send();

    expect(String(stored)).toBe('abc');
    expect(checks()).toMatchObject([{ keywords: { verify: 'adler32' } }]);
  });

  it('has the whole compared when the answer of a part was lost', async () => {
    await writeFile(path, 'abc');
    hub.on('uploadFile', 'drop', storePart);

    await send();

    expect(checks()).toMatchObject([{ keywords: { verify: 'adler32' } }]);
  });

  it('waits for a file that an earlier request still has locked', async () => {
    await writeFile(path, 'abc');
    const busy = fault(1, "<class 'BlockingIOError'>: [Errno 11] Resource temporarily unavailable");
    hub.on('uploadFile', busy, storePart);

    await send();

    expect(clock.slept).toEqual([1000]);
    expect(String(stored)).toBe('abc');
  });

  it('fails when a part stays damaged', async () => {
    await writeFile(path, 'abc');
    hub.on('uploadFile', value(false));

    await expect(send()).rejects.toMatchObject({
      code: 'upload-failed',
      message: expect.stringMatching(/at offset 0 the hub finds 3 bytes of another size or checksum/),
    });
  });
});

describe('append', () => {
  it('sends what a growing file has gained, each byte once', async () => {
    await writeFile(path, 'one\n');
    const upload = uploader.append(path, target);

    await upload.push();
    await upload.push();
    await appendFile(path, 'two\n');
    await upload.push();
    await appendFile(path, 'three\n');
    await upload.finish();

    expect(String(stored)).toBe('one\ntwo\nthree\n');
    expect(offsets()).toEqual(['0', '4', '8']);
    expect(upload.sentBytes).toBe(14);
  });

  it('keeps the order of calls that overlap', async () => {
    await writeFile(path, 'one\n');
    const upload = uploader.append(path, target);

    await Promise.all([upload.push(), upload.push(), upload.finish(), upload.push()]);

    expect(offsets()).toEqual(['0']);
    expect(upload.sentBytes).toBe(4);
  });

  it('asks for no confirmation when each chunk arrived at once', async () => {
    await writeFile(path, 'one\n');
    const upload = uploader.append(path, target);
    await upload.push();
    await appendFile(path, 'two\n');

    await upload.finish();

    expect(checks()).toEqual([]);
  });

  it('has the whole compared when the answer of any chunk was lost', async () => {
    await writeFile(path, 'one\n');
    hub.on('rawUpload', 'drop', store);
    const upload = uploader.append(path, target);
    await upload.push();
    await appendFile(path, 'two\n');

    await upload.finish();

    expect(checks()).toMatchObject([{ keywords: { verify: 'adler32' } }]);
  });

  it('sends the same bytes again after a push that failed', async () => {
    await writeFile(path, 'one\n');
    hub.on('rawUpload', fault(1000, 'disk full'), store);
    const upload = uploader.append(path, target);

    await expect(upload.push()).rejects.toMatchObject({ faultCode: 1000 });
    await upload.finish();

    expect(String(stored)).toBe('one\n');
    expect(checks()).toMatchObject([{ keywords: { verify: 'adler32' } }]);
  });

  it('says that the file has shrunk', async () => {
    await writeFile(path, 'one\n');
    const upload = uploader.append(path, target);
    await upload.push();
    await truncate(path, 1);

    await expect(upload.push()).rejects.toThrow(/shrunk to 1 bytes after 4 were sent/);
  });
});
