import { describe, expect, it } from 'vitest';
import { buildRow, tagRow } from '../../../test/support/hub-rows.ts';
import { hubFault } from '../../../test/support/scripted-session.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import { tagBuild } from './index.ts';

async function setUp() {
  const bench = await openTaskBench({ method: 'tagBuild' });
  bench.session
    .on('getBuild', buildRow())
    .on('getTag', tagRow())
    .on('host.tagBuild', null)
    .on('host.tagNotification', null);
  return bench;
}

describe('tagBuild', () => {
  it('tags, and has the hub tell of it', async () => {
    const { session, run } = await setUp();

    expect(await run(tagBuild, 10, 90, false, null, true)).toBeNull();

    expect(session.methods).toEqual([
      ...['getTaskInfo', 'getBuild', 'getTag', 'host.tagBuild', 'host.tagNotification'],
    ]);
    expect(session.of('host.tagBuild')[0]).toMatchObject({
      params: [5, 10, 90],
      keywords: { force: false, fromtag: null },
    });
    expect(session.of('host.tagNotification')[0]?.params).toEqual([true, 10, null, 90, 21, true]);
  });

  it('takes names, and what is left out for no', async () => {
    const { session, run } = await setUp();

    await run(tagBuild, 'f1', 'hello-1.0-1', true, 'f1-candidate');

    expect(session.of('host.tagBuild')[0]).toMatchObject({
      params: [5, 'f1', 'hello-1.0-1'],
      keywords: { force: true, fromtag: 'f1-candidate' },
    });
    expect(session.of('host.tagNotification')[0]?.params).toEqual([
      ...[true, 'f1', 'f1-candidate', 'hello-1.0-1', 21, false],
    ]);
  });

  it('has the hub tell why it failed, and fails', async () => {
    const { session, run } = await setUp();
    session.on('host.tagBuild', hubFault(1003, 'build already tagged'));

    await expect(run(tagBuild, 10, 90)).rejects.toMatchObject({ faultCode: 1003 });

    expect(session.of('host.tagNotification').map(({ params }) => params)).toEqual([
      [false, 10, null, 90, 21, false, 'build already tagged'],
    ]);
  });

  it.each([
    ['build', 'getBuild', null, 'No such build: 90'],
    ['tag', 'getTag', hubFault(1000, 'Invalid tagInfo: 10'), 'Invalid tagInfo: 10'],
  ])('has the hub tell that there is no such %s', async (_what, method, answer, message) => {
    const { session, run } = await setUp();
    session.on(method, answer);

    await expect(run(tagBuild, 10, 90)).rejects.toThrow(message);

    expect(session.of('host.tagBuild')).toEqual([]);
    expect(session.of('host.tagNotification')[0]?.params.at(-1)).toContain(message);
  });

  it('keeps the reason when the hub cannot be told of the failure', async () => {
    const { session, run, lines } = await setUp();
    session
      .on('host.tagBuild', hubFault(1003, 'tag is locked'))
      .on('host.tagNotification', hubFault(1000, 'no mail'));

    await expect(run(tagBuild, 10, 90)).rejects.toMatchObject({ faultString: 'tag is locked' });

    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'reporting the failed tagging to the hub failed' }),
    );
  });

  it('tells nobody of a success that was, when the telling fails', async () => {
    const { session, run } = await setUp();
    session.on('host.tagNotification', hubFault(1000, 'no mail'));

    await expect(run(tagBuild, 10, 90)).rejects.toMatchObject({ faultString: 'no mail' });

    expect(session.of('host.tagNotification')).toHaveLength(1);
  });

  it('tells nobody when it was stopped', async () => {
    const { session, run, abort, lines } = await setUp();
    session.on('host.tagBuild', () => {
      abort.abort(new Error('cancelled'));
      return null;
    });

    await expect(run(tagBuild, 10, 90)).rejects.toThrow('cancelled');

    expect(session.of('host.tagNotification')).toEqual([]);
    expect(lines).toEqual([]);
  });
});
