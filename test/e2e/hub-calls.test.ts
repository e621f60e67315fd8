import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type Ended, TestBuilder } from './builder.ts';
import { openDevHub } from './dev-hub.ts';
import { type RecordedCall, type RecordingHub, recordCalls } from './recording-hub.ts';
import { describeE2e, srpm } from './surroundings.ts';

/** What kojid asks of the hub in the task session of such a buildArch, uploads and their checks left out. */
const callsOfKojid = 16;

describeE2e('the hub calls of a scratch buildArch', () => {
  let hub: RecordingHub;
  let builder: TestBuilder;
  let buildArch: Ended;
  let calls: readonly RecordedCall[];

  beforeAll(async () => {
    hub = await recordCalls(await openDevHub());
    builder = await TestBuilder.start(hub);
    await builder.ensureRepo('td1-build');
    buildArch = await builder.child(await builder.build(srpm('hello')), 'buildArch');
    const isClose = ({ method, params }: RecordedCall) =>
      method === 'host.closeTask' && params[0] === buildArch.tree.id;
    const session = hub.calls.find(isClose)?.session;
    calls = hub.calls.filter((call) => call.session === session);
  });
  afterAll(() => builder[Symbol.asyncDispose]());

  const methods = () => calls.map(({ method }) => method);

  it('are no more than those of kojid, even with the checks of uploads', () => {
    expect(methods()).toEqual(expect.arrayContaining(['host.newBuildRoot', 'host.closeTask', 'logout']));
    expect(methods().filter((method) => method !== 'rawUpload').length).toBeLessThanOrEqual(callsOfKojid);
  });

  it('check each package once, and no log', () => {
    const MultiCall = z.tuple([z.array(z.object({ methodName: z.string(), params: z.array(z.unknown()) }))]);
    const inner = calls
      .filter(({ method }) => method === 'multiCall')
      .flatMap(({ params }) => MultiCall.parse(params)[0]);

    const checked = inner
      .filter(({ methodName }) => methodName === 'checkUpload')
      .map(({ params }) => String(params[1]));

    const sent = new Set(calls.flatMap(({ upload }) => upload?.name ?? []));
    expect(checked.sort()).toEqual([...sent].filter((name) => name.endsWith('.rpm')).sort());
    expect(checked).toHaveLength(3);
    expect(methods()).not.toContain('checkUpload');
  });

  it('carry each byte of each file once', async () => {
    const sent = new Map<string, number>();
    for (const { upload } of calls)
      if (upload !== null) sent.set(upload.name, (sent.get(upload.name) ?? 0) + upload.bytes);

    expect([...sent.keys()].sort()).toEqual(await builder.uploads(buildArch.tree.id));
    for (const [name, bytes] of sent) {
      const { size } = await stat(builder.uploadPath(buildArch.tree.id, name));
      expect(`${name} ${bytes}`).toBe(`${name} ${size}`);
    }
  });
});
