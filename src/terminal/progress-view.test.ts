import { stripVTControlCharacters } from 'node:util';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { isPrintable } from '../core/printable.ts';
import { type Frame, fileSize, lastLines, renderFrame, type TaskRow } from './progress-view.ts';

const nowMs = 100_000;
const row = (change: Partial<TaskRow>): TaskRow => ({
  id: 1,
  depth: 0,
  method: 'build',
  subject: 'hello.src.rpm',
  state: 'open',
  elapsedMs: 2000,
  phases: [],
  ...change,
});
const closed = row({
  id: 2,
  depth: 1,
  method: 'rebuildSRPM',
  subject: 'noarch',
  state: 'closed',
  elapsedMs: 1500,
  phases: [{ name: 'fetch packages for @srpm-build', startMs: 98_000, endMs: 98_900 }],
});
const running = row({
  id: 3,
  depth: 1,
  method: 'buildArch',
  subject: 'x86_64',
  phases: [{ name: 'fetch packages for @build', startMs: 99_500, endMs: null }],
});
const frame: Frame = {
  nowMs,
  tasks: [row({}), closed, running],
  tail: { title: 'root.log of buildArch', lines: ['one', 'two', 'three', 'four'] },
  note: null,
};
const roomy = { columns: 100, rows: 50 };

beforeEach(() => {
  vi.stubEnv('NO_COLOR', '1');
  vi.stubEnv('FORCE_COLOR', undefined);
});

describe('renderFrame', () => {
  it('shows tasks with state and time, their steps, and the log below', () => {
    expect(renderFrame(frame, roomy)).toEqual([
      '  build        hello.src.rpm                   open       2.0 s',
      '    rebuildSRPM  noarch                        closed     1.5 s',
      '      fetch packages for @srpm-build                      0.9 s',
      '    buildArch    x86_64                        open       2.0 s',
      '      fetch packages for @build                           0.5 s',
      '',
      '  root.log of buildArch',
      '  | one',
      '  | two',
      '  | three',
      '  | four',
    ]);
  });

  it('leaves out the steps of finished tasks first when there is little room', () => {
    const lines = renderFrame(frame, { columns: 100, rows: 10 });

    expect(lines).toHaveLength(10);
    expect(lines.join('\n')).not.toContain('fetch packages for @srpm-build');
    expect(lines.at(-1)).toBe('  | four');
  });

  it('shortens the log to its last lines next', () => {
    const lines = renderFrame(frame, { columns: 100, rows: 8 });

    expect(lines.slice(-3)).toEqual(['  root.log of buildArch', '  | three', '  | four']);
  });

  it('never draws more rows or columns than there are', () => {
    const lines = renderFrame(frame, { columns: 20, rows: 3 });

    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(20);
  });

  it('says why nothing happens when no log grows', () => {
    const lines = renderFrame({ ...frame, tail: null, note: 'not ready for tasks: no disk space' }, roomy);

    expect(lines.slice(-2)).toEqual(['', '  not ready for tasks: no disk space']);
  });

  it('shows no time for a task that has not begun, and none for a step that was cut off', () => {
    const tasks = [
      row({ state: 'free', elapsedMs: null }),
      row({ state: 'canceled', phases: running.phases }),
    ];

    expect(renderFrame({ ...frame, tasks, tail: null }, roomy)).toEqual([
      '  build        hello.src.rpm                   free',
      '  build        hello.src.rpm                   canceled   2.0 s',
      '    fetch packages for @build',
    ]);
  });

  it('draws nothing that a name brings along', () => {
    const lines = renderFrame(
      {
        ...frame,
        tasks: [row({ subject: 'a\x1b[2Jb\nc', phases: [{ name: '@x\u202ey', startMs: 0, endMs: 1 }] })],
        tail: { title: 'root.log', lines: ['\x9b1m'] },
      },
      roomy,
    );

    expect(lines.join('|')).toMatch(/a\\x1b\[2Jb\\x0ac.*@x\\u202ey.*\\x9b1m/);
    expect(lines.every((line) => isPrintable(stripVTControlCharacters(line)))).toBe(true);
  });

  it('cuts names that would push the columns aside', () => {
    const [line] = renderFrame({ ...frame, tasks: [row({ subject: 'x'.repeat(80) })] }, roomy);

    expect(line).toMatch(/^ {2}build {8}x+\.\.\. open {7}2\.0 s$/);
  });
});

describe('lastLines', () => {
  it('gives the last lines that hold anything', () => {
    expect(lastLines('a\nb\n\nc\n', 2)).toEqual(['b', 'c']);
  });

  it('keeps of an overwritten line what was written last', () => {
    expect(lastLines('10%\r50%\r100%\n', 1)).toEqual(['100%']);
  });

  it('takes out what would move the cursor or colour the screen', () => {
    expect(lastLines('\x1b[31mred\x1b[0m\x07 \x1b[2Jend\tx\n', 1)).toEqual(['red end  x']);
  });
});

describe('fileSize', () => {
  it('counts in thousands', () => {
    expect([999, 7400, 12_345_678, 2.5e12].map(fileSize)).toEqual([
      '999 B',
      '7.4 kB',
      '12.3 MB',
      '2500.0 GB',
    ]);
  });
});
