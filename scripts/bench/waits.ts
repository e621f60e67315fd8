/**
 * What a person waits for who builds on a real hub, with and without `assign_children`, by turns: a warm scratch build of
 * hello, submitted at random moments, from create to open, from open to close, and how long each child lay on the hub.
 * Calls of the hub from create to close. `sleeptime` is kojid's default.
 *
 *   KOJI_TEST_HUB=.../env.sh npm run bench:waits -- [--runs N] [--interval SECONDS] [--json FILE]
 *
 * `--interval` is the hub's RunInterval: submissions are spread over it. Needs what end-to-end tests on a real hub need.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { never } from '../../src/core/never.ts';
import { HubClient } from '../../src/devhub/client.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { TestBuilder } from '../../test/e2e/builder.ts';
import { openRealTestHub } from '../../test/e2e/real-hub.ts';
import { srpm } from '../../test/e2e/surroundings.ts';
import { type Figures, printFigures } from './figures.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    interval: { type: 'string', default: '60' },
    json: { type: 'string' },
  },
});
const runs = Number(values.runs);
const intervalMs = Number(values.interval) * 1000;
const hubFile = process.env['KOJI_TEST_HUB'];
if (hubFile === undefined) throw new Error('KOJI_TEST_HUB does not name the env.sh of a running hub');
const metricsAt = '127.0.0.1:18099';

const Times = z
  .object({ create_ts: z.number(), start_ts: z.number(), completion_ts: z.number(), method: z.string() })
  .transform((row) => ({
    method: row.method,
    waitMs: (row.start_ts - row.create_ts) * 1000,
    openMs: (row.completion_ts - row.start_ts) * 1000,
  }));
type Times = z.infer<typeof Times>;

interface Run {
  readonly build: Times;
  readonly children: readonly Times[];
  readonly calls: number;
}

/** Calls of the hub that the daemon has made, uploads left out. */
async function callsMade(): Promise<number> {
  const text = await (await fetch(`http://${metricsAt}/metrics`)).text();
  const counts = [...text.matchAll(/^koji_adjutant_hub_requests_total\{kind="call".*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

async function timeOne(builder: TestBuilder, client: HubClient): Promise<Run> {
  const before = await callsMade();
  const { tree } = await builder.build(srpm('hello'));
  if (tree.state !== taskState.CLOSED) throw new Error(`the build, task ${tree.id}, was not closed`);
  const calls = (await callsMade()) - before;
  const times = async (id: number) => Times.parse(await client.call('getTaskInfo', [id]));
  const children: Times[] = [];
  for (const { id } of tree.children) children.push(await times(id));
  return { build: await times(tree.id), children, calls };
}

/** Builds with its own daemon, the first of which makes the roots and does not count. */
async function timeWith(mode: 'auto' | 'no', file: string): Promise<readonly Run[]> {
  const settings = [
    `assign_children = ${mode}`,
    'monitoring_enabled = yes',
    `monitoring_bind = ${metricsAt}`,
  ];
  await using builder = await TestBuilder.start(await openRealTestHub(file), {
    settings,
    kojid: { sleeptime: '15' },
    cold: true,
  });
  const client = new HubClient(builder.hub.url);
  await builder.ensureRepo('td1-build');
  await timeOne(builder, client);
  const timed: Run[] = [];
  for (let count = 0; count < runs; count += 1) {
    await systemClock.sleep(Math.random() * intervalMs, never);
    timed.push(await timeOne(builder, client));
  }
  return timed;
}

function print(title: string, timed: readonly Run[]): Record<string, Figures> {
  const waits = (method: string) =>
    timed.flatMap(({ children }) => children.filter((one) => one.method === method)).map((one) => one.waitMs);
  const figures = printFigures(`${title}, ${timed.length} builds, seconds`, [
    ['create to close', timed.map(({ build }) => build.waitMs + build.openMs)],
    ['build: create to open', timed.map(({ build }) => build.waitMs)],
    ['build: open to close', timed.map(({ build }) => build.openMs)],
    ['rebuildSRPM: create to open', waits('rebuildSRPM')],
    ['buildArch: create to open', waits('buildArch')],
  ]);
  console.log(`hub calls from create to close: ${timed.map(({ calls }) => calls).join(', ')}`);
  return figures;
}

const timed = { auto: await timeWith('auto', hubFile), no: await timeWith('no', hubFile) };
const figures = {
  auto: print('assign_children = auto', timed.auto),
  no: print('assign_children = no', timed.no),
};
if (values.json !== undefined)
  await writeFile(values.json, `${JSON.stringify({ milliseconds: figures, timed }, null, 2)}\n`);
