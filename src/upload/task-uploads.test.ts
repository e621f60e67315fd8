import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { ScriptedSession } from '../../test/support/scripted-session.ts';
import { TaskUploads } from './task-uploads.ts';

const never = new AbortController().signal;
let directory: string;
let session: ScriptedSession;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'uploads-'));
  session = new ScriptedSession();
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

it("sends a file to the task's directory and says where it is", async () => {
  await writeFile(join(directory, 'a.rpm'), 'content');
  const uploads = new TaskUploads(session, new FakeClock(), 1_230_045);

  expect(await uploads.send(join(directory, 'a.rpm'), never)).toBe('tasks/45/1230045/a.rpm');

  expect(uploads.directory).toBe('tasks/45/1230045');
  expect(String(session.uploads.get('tasks/45/1230045/a.rpm'))).toBe('content');
  expect(session.of('checkUpload')[0]?.params).toEqual(['tasks/45/1230045', 'a.rpm']);
});

it('sends a log as it grows, under a name of its own', async () => {
  const path = join(directory, 'local');
  await writeFile(path, 'one ');
  const log = new TaskUploads(session, new FakeClock(), 5).openLog(path, 'build.log');

  await log.push(never);
  expect(String(session.uploads.get('tasks/5/5/build.log'))).toBe('one ');
  await writeFile(path, 'one two');
  await log.finish(never);

  expect(String(session.uploads.get('tasks/5/5/build.log'))).toBe('one two');
});

it('rejects when the hub has less than was sent', async () => {
  await writeFile(join(directory, 'a.rpm'), 'content');
  session.on('checkUpload', { size: 3 });

  await expect(
    new TaskUploads(session, new FakeClock(), 5).send(join(directory, 'a.rpm'), never),
  ).rejects.toMatchObject({
    code: 'upload-failed',
  });
});
