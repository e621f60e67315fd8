import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock, settle } from '../../test/support/manual-clock.ts';
import { keptLog } from '../../test/support/silent-log.ts';
import { never } from '../core/never.ts';
import { type LogUpload, TaskLogs } from './task-logs.ts';

let directory: string;
let clock: ManualClock;
let hub: FakeUploads;
let logs: TaskLogs;
let kept: ReturnType<typeof keptLog>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'logs-'));
  clock = new ManualClock();
  hub = new FakeUploads();
  kept = keptLog();
  logs = new TaskLogs(directory, (path, name) => hub.open(path, name), clock, kept.log);
});
afterEach(async () => {
  await logs.abandon();
  expect(clock.sleeping).toBe(0);
  await rm(directory, { recursive: true, force: true });
});

/** Takes logs as a hub does; each can be told to fail or to take its time. */
class FakeUploads {
  readonly events: string[] = [];
  readonly content = new Map<string, string>();
  readonly trouble = new Map<string, Error | 'hang'>();

  open(path: string, name: string): LogUpload {
    expect(basename(path)).toBe(name);
    const act = async (what: string, signal: AbortSignal) => {
      signal.throwIfAborted();
      this.events.push(`${what} ${name}`);
      const trouble = this.trouble.get(`${what} ${name}`);
      if (trouble === 'hang') await hang(signal);
      if (trouble instanceof Error) throw trouble;
      this.content.set(name, await readFile(path, 'utf8'));
    };
    return {
      resume: async () => undefined,
      push: (signal) => act('push', signal),
      finish: (signal) => act('finish', signal),
    };
  }
}

function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Lets a second go by, and the files be read. */
async function second(): Promise<void> {
  await clock.asleep(1000);
  await clock.advance(1000);
  await clock.asleep(1000);
}

describe('TaskLogs', () => {
  it('sends a log every second as it grows', async () => {
    const file = await logs.open('build.log');

    await file.write('one\n');
    await second();
    expect(hub.content.get('build.log')).toBe('one\n');
    await file.write(Buffer.from('two\n'));
    await second();

    expect(hub.content.get('build.log')).toBe('one\ntwo\n');
    expect(hub.events).toEqual(['push build.log', 'push build.log']);
  });

  it('does not ask about a log that has not grown', async () => {
    const file = await logs.open('build.log');
    await logs.open('state.log');

    await file.write('one\n');
    await second();
    await second();

    expect(hub.events).toEqual(['push build.log']);
  });

  it('sends the rest of each log at the end, in the order they were opened, and lists them', async () => {
    const [root, build] = [await logs.open('root.log'), await logs.open('build.log')];
    await build.write('b');
    await root.write('r');

    await logs.finish(never);

    expect(hub.events).toEqual(['finish root.log', 'finish build.log']);
    expect(logs.uploaded).toEqual(['root.log', 'build.log']);
  });

  it('neither sends nor lists a log nobody wrote to', async () => {
    await logs.open('state.log');
    await logs.write('hw_info.log', '');
    await logs.write('mock_config.log', 'text');

    await logs.finish(never);

    expect(hub.events).toEqual(['finish mock_config.log']);
    expect(logs.uploaded).toEqual(['mock_config.log']);
  });

  it('lets a log that nobody wrote to say what it was given for that', async () => {
    await logs.open('a.log', 'plain', 'nothing here\n');
    await (await logs.open('b.log', 'plain', 'nothing here\n')).write('b\n');

    await logs.finish(never);

    expect([...hub.content]).toEqual([
      ['a.log', 'nothing here\n'],
      ['b.log', 'b\n'],
    ]);
    expect(logs.uploaded).toEqual(['a.log', 'b.log']);
  });

  it('tries all logs although one does not arrive, and rejects with its error', async () => {
    for (const name of ['a.log', 'b.log', 'c.log']) await logs.write(name, name);
    hub.trouble.set('finish b.log', new Error('disk full'));

    await expect(logs.finish(never)).rejects.toThrow('disk full');

    expect(logs.uploaded).toEqual(['a.log', 'c.log']);
  });

  it('can be finished again, for logs that came later', async () => {
    await logs.write('a.log', 'a');
    await logs.finish(never);

    await logs.write('b.log', 'b');
    await logs.finish(never);
    await logs.finish(never);

    expect(hub.events).toEqual(['finish a.log', 'finish b.log']);
    expect(logs.uploaded).toEqual(['a.log', 'b.log']);
  });

  it('knows the logs it has, open or sent', async () => {
    await logs.write('a.log', 'a');
    expect([logs.has('a.log'), logs.has('b.log')]).toEqual([true, false]);

    await logs.finish(never);

    expect(logs.has('a.log')).toBe(true);
  });

  it('continues with the others when one cannot be sent while it grows, and tries that one at the end', async () => {
    const [root, build] = [await logs.open('root.log'), await logs.open('build.log')];
    hub.trouble.set('push root.log', new Error('locked'));

    for (const text of ['1', '2']) {
      await root.write(text);
      await build.write(text);
      await second();
    }
    expect(hub.events).toEqual(['push root.log', 'push build.log', 'push build.log']);
    expect(kept.lines).toMatchObject([
      { level: 40, name: 'root.log', msg: expect.stringContaining('locked'), err: { message: 'locked' } },
    ]);
    await logs.finish(never);

    expect(hub.content.get('root.log')).toBe('12');
    expect(logs.uploaded).toEqual(['root.log', 'build.log']);
  });

  it('waits for what is under way at the end', async () => {
    const file = await logs.open('build.log');
    const held = Promise.withResolvers<void>();
    const underWay = Promise.withResolvers<void>();
    hub.open = () => ({
      resume: async () => undefined,
      push: () => {
        underWay.resolve();
        return held.promise;
      },
      finish: async () => undefined,
    });
    const late = await logs.open('late.log');
    await file.write('x');
    await late.write('x');
    await clock.asleep();
    await clock.advance(1000);
    await underWay.promise;

    const finishing = logs.finish(never);
    await settle();
    expect(logs.uploaded).toEqual([]);
    held.resolve();
    await finishing;

    expect(logs.uploaded).toEqual(['build.log', 'late.log']);
  });

  it('gives up what is under way when there is no more time at the end', async () => {
    const file = await logs.open('build.log');
    await file.write('x');
    hub.trouble.set('push build.log', 'hang');
    await clock.asleep();
    await clock.advance(1000);
    const abort = new AbortController();

    const rejected = expect(logs.finish(abort.signal)).rejects.toThrow('too late');
    await settle();
    abort.abort(new Error('too late'));

    await rejected;
    expect(logs.uploaded).toEqual([]);
  });

  it('drops what is under way when it is abandoned, and sends nothing more', async () => {
    const file = await logs.open('build.log');
    await file.write('x');
    hub.trouble.set('push build.log', 'hang');
    await clock.asleep();
    await clock.advance(1000);

    await logs.abandon();

    expect(hub.events).toEqual(['push build.log']);
    expect(logs.uploaded).toEqual([]);
    expect(kept.lines).toEqual([]);
    await expect(file.write('y')).rejects.toThrow();
  });
});

describe('LogFile', () => {
  it('keeps the order of writes that overlap, and counts bytes', async () => {
    const file = await logs.open('build.log');

    // Large and small ones: side by side the small ones would be through first.
    const pieces = Array.from({ length: 40 }, (_, i) => `é${i}`.repeat(i % 2 === 0 ? 200_000 : 1));

    await Promise.all(pieces.map((piece, i) => file.write(i % 3 === 0 ? Buffer.from(piece) : piece)));

    const text = pieces.join('');
    expect((await readFile(file.path, 'utf8')) === text).toBe(true);
    expect(file.size).toBe(Buffer.byteLength(text));
  });

  it('writes what comes at once with the end of the task', async () => {
    const file = await logs.open('build.log');
    const writing = file.write('last words');

    await logs.finish(never);

    await writing;
    expect(hub.content.get('build.log')).toBe('last words');
  });
});

describe('logs of times', () => {
  it('say beside a watched log when how much of it was there', async () => {
    const timed = new TaskLogs(directory, (path, name) => hub.open(path, name), clock, kept.log, {
      timestamps: true,
    });
    const startedS = Math.round(clock.now() / 1000);
    const file = await timed.open('build.log', 'watched');
    await timed.write('mock_config.log', 'not watched');
    await file.write('one\n');
    await second();
    await second();
    await file.write('two\n');

    await timed.finish(never);

    expect(hub.content.get('build.log-ts.log')).toBe(`${startedS} 0\n${startedS + 1} 4\n${startedS + 2} 8\n`);
    expect(timed.uploaded).toEqual(['build.log', 'build.log-ts.log', 'mock_config.log']);
  });

  it('go on, and the trouble is told once, while the log itself does not reach the hub', async () => {
    const timed = new TaskLogs(directory, (path, name) => hub.open(path, name), clock, kept.log, {
      timestamps: true,
    });
    const file = await timed.open('build.log', 'watched');
    hub.trouble.set('push build.log', new Error('hub away'));
    for (const line of ['one\n', 'two\n', 'six\n']) {
      await file.write(line);
      await second();
    }

    await timed.finish(never);

    const sizes = hub.content
      .get('build.log-ts.log')
      ?.split('\n')
      .map((line) => line.split(' ')[1]);
    expect(sizes).toEqual(['0', '4', '8', '12', undefined]);
    expect(kept.lines).toHaveLength(1);
  });

  it('are not made unless asked for', async () => {
    await logs.write('build.log', 'one\n', 'watched');

    await logs.finish(never);

    expect(logs.uploaded).toEqual(['build.log']);
  });
});
