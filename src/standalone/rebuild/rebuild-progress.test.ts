import { expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { RebuildProgress } from './rebuild-progress.ts';

function open() {
  const clock = new ManualClock();
  return { clock, progress: new RebuildProgress('hello-1.0-1 x86_64', clock), startMs: clock.now() };
}

it('shows the steps with their times, and the state of the whole', async () => {
  const { clock, progress, startMs } = open();
  progress.step('choose packages for @build', 'start');
  await clock.advance(500);
  progress.step('choose packages for @build', 'finish');
  progress.step('install packages for @build', 'start');
  await clock.advance(1000);

  expect(progress.frame.tasks).toMatchObject([
    {
      method: 'rebuild',
      subject: 'hello-1.0-1 x86_64',
      state: 'open',
      elapsedMs: 1500,
      phases: [
        { name: 'choose packages for @build', startMs, endMs: startMs + 500 },
        { name: 'install packages for @build', startMs: startMs + 500, endMs: null },
      ],
    },
  ]);

  progress.end('failed');
  await clock.advance(1000);
  expect(progress.frame.tasks).toMatchObject([{ state: 'failed', elapsedMs: 1500 }]);
});

it('counts packages while they are fetched, instead of showing a log', async () => {
  const { clock, progress, startMs } = open();
  progress.progress({ kind: 'fetching', title: '@build', files: 0, ofFiles: 2 });
  await clock.advance(100);
  progress.progress({ kind: 'fetching', title: '@build', files: 1, ofFiles: 2 });

  expect(progress.frame).toMatchObject({ note: '1 of 2 packages fetched', tail: null });

  progress.progress({ kind: 'fetching', title: '@build', files: 2, ofFiles: 2 });
  progress.step('install packages for @build', 'start');
  expect(progress.frame).toMatchObject({ note: null, tail: { title: 'root.log' } });
  expect(progress.frame.tasks[0]?.phases[0]).toEqual({
    name: 'fetch packages for @build',
    startMs,
    endMs: startMs + 100,
  });
});

it('says what was prepared before', () => {
  const { progress } = open();
  progress.progress({ kind: 'from-snapshot', title: '@build', packages: 139 });

  expect(progress.frame.tasks[0]?.phases.map(({ name }) => name)).toEqual([
    '@build: 139 packages, prepared before',
  ]);
});

it('shows the end of the log that grew last', () => {
  const { progress } = open();
  progress.output('root', 'a\n');
  progress.output('build', 'b\n');
  progress.output('build', Buffer.from('c\n'));

  expect(progress.frame.tail).toEqual({ title: 'build.log', lines: ['b', 'c'] });
});
