import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { hubFault, ScriptedSession } from '../../test/support/scripted-session.ts';
import { never } from '../core/never.ts';
import { TaskUploads } from './task-uploads.ts';

let directory: string;
let session: ScriptedSession;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'uploads-'));
  session = new ScriptedSession();
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

it("sends files to the task's directory, says where they are, and has them confirmed at once", async () => {
  for (const name of ['b.rpm', 'a.rpm']) await writeFile(join(directory, name), name);
  const uploads = new TaskUploads(session, new FakeClock(), 1_230_045);

  const sent = await uploads.send([join(directory, 'b.rpm'), join(directory, 'a.rpm')], never);

  expect(sent).toEqual(['tasks/45/1230045/b.rpm', 'tasks/45/1230045/a.rpm']);
  expect(uploads.directory).toBe('tasks/45/1230045');
  expect(String(session.uploads.get('tasks/45/1230045/a.rpm'))).toBe('a.rpm');
  expect(session.of('multiCall')).toHaveLength(1);
  expect(session.of('checkUpload').map(({ params }) => params)).toEqual([
    ['tasks/45/1230045', 'b.rpm'],
    ['tasks/45/1230045', 'a.rpm'],
  ]);
});

it('asks nothing when there is no file', async () => {
  expect(await new TaskUploads(session, new FakeClock(), 5).send([], never)).toEqual([]);

  expect(session.calls).toEqual([]);
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

it.each([
  ['less than was sent', { size: 3 }, 'upload-failed'],
  ['nothing', null, 'upload-failed'],
  ['no access for us', hubFault(1004, 'not yours'), 'hub-fault'],
])('rejects when the hub has %s', async (_name, answer, code) => {
  for (const name of ['a.rpm', 'b.rpm']) await writeFile(join(directory, name), name);
  session.on('checkUpload', { size: 5 }, answer);
  const uploads = new TaskUploads(session, new FakeClock(), 5);

  const sending = uploads.send([join(directory, 'a.rpm'), join(directory, 'b.rpm')], never);

  await expect(sending).rejects.toMatchObject({ code });
});

it('rejects when the hub answers fewer calls than were made', async () => {
  await writeFile(join(directory, 'a.rpm'), 'a');
  session.on('multiCall', []);

  const sending = new TaskUploads(session, new FakeClock(), 5).send([join(directory, 'a.rpm')], never);

  await expect(sending).rejects.toThrow('the hub answered 0 of 1 calls at once');
});
