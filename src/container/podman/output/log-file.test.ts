import { appendFile, mkdtemp, open, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isDiskFull } from '../../../core/fs-errors.ts';
import { never } from '../../../core/never.ts';
import { ContainerError } from '../../errors.ts';
import { cutMark, followLog, fullMark, LogDecoder } from './log-file.ts';

/** What conmon writes for these bytes when they arrive in one piece. */
function entriesOf(text: Uint8Array, second = '00'): Buffer {
  const entries: Buffer[] = [];
  const head = (tag: string) => Buffer.from(`2026-01-31T12:00:${second}.123456789+00:00 stdout ${tag} `);
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    const end = rest.indexOf(10);
    const line = end === -1 ? rest : rest.subarray(0, end);
    entries.push(head(end === -1 ? 'P' : 'F'), line, Buffer.from('\n'));
    rest = end === -1 ? Buffer.alloc(0) : rest.subarray(end + 1);
  }
  return Buffer.concat(entries);
}

function decodeInPieces(log: Buffer, cuts: readonly number[]): Buffer {
  const decoder = new LogDecoder();
  const edges = [0, ...cuts.toSorted((a, b) => a - b), log.length];
  return Buffer.concat(
    edges.slice(1).map((end, i) => Buffer.from(decoder.decode(Buffer.from(log.subarray(edges[i], end))))),
  );
}

describe('LogDecoder', () => {
  it('gives back any bytes, however the log is cut', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    const cuts = fc.array(fc.nat(), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, cuts, (written, at) => {
        const log = Buffer.concat(written.map((text) => entriesOf(text)));
        const decoded = decodeInPieces(
          log,
          at.map((cut) => cut % (log.length + 1)),
        );
        expect(decoded.equals(Buffer.concat(written))).toBe(true);
      }),
    );
  });

  it('keeps stdout and stderr together in the order of the log', () => {
    const log = '2026-01-31T12:00:00.1+00:00 stdout F out\n2026-01-31T12:00:00.2+00:00 stderr P err\n';

    expect(new LogDecoder().decode(Buffer.from(log)).toString()).toBe('out\nerr');
  });

  it('delivers the text of an entry whose end was never written', () => {
    const log = '2026-01-31T12:00:00.1+00:00 stdout F lost the ne';

    expect(new LogDecoder().decode(Buffer.from(log)).toString()).toBe('lost the ne');
  });

  it.each(['hello world this is no log at all\n', '{"log":"json"}\n'.repeat(20)])(
    'refuses what is no such log: %j',
    (text) => {
      expect(() => new LogDecoder().decode(Buffer.from(text))).toThrow(/k8s-file/);
    },
  );
});

describe('followLog', () => {
  let dir: string;
  let path: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'log-file-'));
    path = join(dir, 'log');
  });
  afterEach(() => rm(dir, { recursive: true }));

  /** A clock on which every wait does the next thing that happens outside. */
  function clockOf(happenings: (() => Promise<void> | void)[]) {
    const slept: number[] = [];
    const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
      signal?.throwIfAborted();
      slept.push(ms);
      await happenings.shift()?.();
    };
    return { now: () => 0, uptime: () => 0, sleep, slept };
  }

  it('delivers what comes later, and what was written just before the end', async () => {
    const end = Promise.withResolvers<void>();
    await writeFile(path, entriesOf(Buffer.from('one\n')));
    const clock = clockOf([
      () => appendFile(path, entriesOf(Buffer.from('two\n'))),
      async () => {
        await appendFile(path, entriesOf(Buffer.from('three')));
        end.resolve();
      },
    ]);

    const chunks = await collect(followLog({ path, from: 0, clock, signal: never, ended: end.promise }));

    expect(chunks).toEqual(['one\n', 'two\n', 'three']);
    expect(Math.max(...clock.slept)).toBeLessThanOrEqual(100);
  });

  it('continues behind a mark when somebody has cut the log', async () => {
    const end = Promise.withResolvers<void>();
    await writeFile(path, entriesOf(Buffer.from('one\ntwo\n')));
    const clock = clockOf([
      () => truncate(path),
      () => appendFile(path, entriesOf(Buffer.from('three\n'))),
      () => end.resolve(),
    ]);

    const chunks = await collect(followLog({ path, from: 0, clock, signal: never, ended: end.promise }));

    expect(chunks).toEqual(['one\ntwo\n', cutMark, 'three\n']);
  });

  it('delivers nothing twice when somebody has cut off a part of the log', async () => {
    const end = Promise.withResolvers<void>();
    const one = entriesOf(Buffer.from('one\n'));
    await writeFile(path, Buffer.concat([one, entriesOf(Buffer.from('two\n'))]));
    const clock = clockOf([
      () => truncate(path, one.length),
      () => appendFile(path, entriesOf(Buffer.from('three\n'))),
      () => end.resolve(),
    ]);

    const chunks = await collect(followLog({ path, from: 0, clock, signal: never, ended: end.promise }));

    expect(chunks).toEqual(['one\ntwo\n', cutMark, 'three\n']);
  });

  it('reads on in a log that somebody has removed', async () => {
    const end = Promise.withResolvers<void>();
    await writeFile(path, entriesOf(Buffer.from('one\n')));
    await using conmon = await open(path, 'a');
    const clock = clockOf([
      () => rm(path),
      async () => {
        await conmon.write(entriesOf(Buffer.from('two\n')));
        end.resolve();
      },
    ]);

    const chunks = await collect(followLog({ path, from: 0, clock, signal: never, ended: end.promise }));

    expect(chunks).toEqual(['one\n', 'two\n']);
  });

  it('reads on in a log that somebody has put away', async () => {
    const end = Promise.withResolvers<void>();
    await writeFile(path, entriesOf(Buffer.from('one\n')));
    const clock = clockOf([
      async () => {
        await rename(path, `${path}.1`);
        await writeFile(path, '');
        await appendFile(`${path}.1`, entriesOf(Buffer.from('two\n')));
      },
      () => end.resolve(),
    ]);

    const chunks = await collect(followLog({ path, from: 0, clock, signal: never, ended: end.promise }));

    expect(chunks).toEqual(['one\n', 'two\n']);
  });

  it('does not go on with a log that has less than was read of it before', async () => {
    await writeFile(path, entriesOf(Buffer.from('one\n')));
    const ended = new Promise(() => undefined);

    const reading = collect(followLog({ path, from: 5, clock: clockOf([]), signal: never, ended }));

    await expect(reading).rejects.toMatchObject({
      code: 'no-such-container',
      message: expect.stringContaining('cut or replaced'),
    });
  });

  it.each([
    ['has other text than was read of it before', 'another log\n'],
    ['holds something else', 'no log at all, and much longer than any header of one would be\n'.repeat(2000)],
  ])('does not go on with a log that %s', async (_what, content) => {
    await writeFile(path, content.startsWith('no log') ? content : entriesOf(Buffer.from(content)));
    const ended = new Promise(() => undefined);
    const options = { path, from: 4, end: Buffer.from('one\n'), clock: clockOf([]), signal: never, ended };

    await expect(collect(followLog(options))).rejects.toMatchObject({ code: 'no-such-container' });
  });

  it('continues behind what was read before', async () => {
    await writeFile(path, entriesOf(Buffer.from('one\ntwo\nthree\n')));
    const before = { from: 8, end: Buffer.from('e\ntwo\n') };

    const chunks = await collect(
      followLog({ path, ...before, clock: clockOf([]), signal: never, ended: Promise.resolve() }),
    );

    expect(chunks).toEqual(['three\n']);
  });

  /** The disk was seen full. */
  const isFull = async () => true;

  /** As conmon leaves it when the disk becomes full after so many bytes, and there is room again later. */
  function tornAfter(bytes: number, later: string): Buffer {
    const lines = entriesOf(Buffer.from(Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join('')));
    return Buffer.concat([lines.subarray(0, bytes), entriesOf(Buffer.from(later), '01')]);
  }

  it.each([4096, 12_288, 16_384])(
    'says where the disk has cost output, full after %i bytes',
    async (bytes) => {
      await writeFile(path, tornAfter(bytes, 'later\nlast\n'));

      const { text, error } = await readOn(
        followLog({ path, from: 0, clock: clockOf([]), signal: never, ended: Promise.resolve(), isFull }),
      );

      expect(isDiskFull(error)).toBe(true);
      expect(text.startsWith('line 0\nline 1\n')).toBe(true);
      expect(text.endsWith(fullMark)).toBe(true);
    },
  );

  it.each(Array.from({ length: 46 }, (_, i) => i + 2))(
    'says so wherever the entry is torn: %i',
    async (more) => {
      const first = entriesOf(Buffer.from(`${'x'.repeat(4096 - 45 - more)}\ny\n`));
      await writeFile(
        path,
        Buffer.concat([first.subarray(0, 4096), entriesOf(Buffer.from('later\n'), '01')]),
      );

      const { text, error } = await readOn(
        followLog({
          path,
          from: 4,
          end: Buffer.from('xxxx'),
          clock: clockOf([]),
          signal: never,
          ended: Promise.resolve(),
        }),
      );

      expect(isDiskFull(error)).toBe(true);
      expect(text).not.toContain('later');
    },
  );

  it('says that the end of the output was lost to a full disk', async () => {
    await writeFile(path, tornAfter(4096, ''));

    const { text, error } = await readOn(
      followLog({ path, from: 0, clock: clockOf([]), signal: never, ended: Promise.resolve(), isFull }),
    );

    expect(isDiskFull(error)).toBe(true);
    expect(text.endsWith(fullMark)).toBe(true);
  });

  it.each([4096, 12_288])(
    'takes what looks torn for output while there is room: after %i bytes',
    async (bytes) => {
      // A package prints what begins like an entry, so that it lies at the end of a block.
      await writeFile(path, tornAfter(bytes, 'later\nlast\n'));
      const roomy = async () => false;

      const { text, error } = await readOn(
        followLog({
          path,
          from: 0,
          clock: clockOf([]),
          signal: never,
          ended: Promise.resolve(),
          isFull: roomy,
        }),
      );

      expect(error).toBeNull();
      expect(text).toContain('last\n');
      expect(text).not.toContain(fullMark);
    },
  );

  it('takes a log in the output for output', async () => {
    const log = entriesOf(Buffer.from('text\n')).toString();
    const said = Array.from({ length: 700 }, (_, i) => `${i} ${'x'.repeat(i % 90)} ${log}`).join('');
    await writeFile(path, entriesOf(Buffer.from(said)));

    const { text } = await readOn(
      followLog({ path, from: 0, clock: clockOf([]), signal: never, ended: Promise.resolve() }),
    );

    expect(text.length).toBe(said.length);
  });

  it('ends with the error of the end', async () => {
    await writeFile(path, '');
    const ended = Promise.reject(new ContainerError('runtime-down', 'gone for good'));

    const reading = collect(followLog({ path, from: 0, clock: clockOf([]), signal: never, ended }));

    await expect(reading).rejects.toThrow('gone for good');
  });

  it('gives up with the reason of its signal', async () => {
    await writeFile(path, '');
    const abort = new AbortController();
    const clock = clockOf([() => abort.abort(new Error('enough'))]);
    const ended = new Promise(() => undefined);

    const reading = collect(followLog({ path, from: 0, clock, signal: abort.signal, ended }));

    await expect(reading).rejects.toThrow('enough');
  });

  it('says that the output of a removed container is gone', async () => {
    const reading = collect(
      followLog({ path, from: 0, clock: clockOf([]), signal: never, ended: Promise.resolve() }),
    );

    await expect(reading).rejects.toMatchObject({ code: 'no-such-container' });
  });
});

/** All that can be read, and how that ends. */
async function readOn(chunks: AsyncIterable<Uint8Array>): Promise<{ text: string; error: unknown }> {
  let text = '';
  try {
    for await (const bytes of chunks) text += Buffer.from(bytes).toString();
    return { text, error: null };
  } catch (error) {
    return { text, error };
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<string[]> {
  const texts: string[] = [];
  for await (const chunk of chunks) texts.push(Buffer.from(chunk).toString());
  return texts;
}
