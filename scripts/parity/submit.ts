import { basename } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../src/core/clock.ts';
import type { HubClient, WatchedTask } from '../../src/devhub/client.ts';
import { buildrootState, taskState } from '../../src/devhub/rows.ts';
import type { BuildRecord } from './record-schema.ts';

/** One build to ask for. */
export interface BuildCase {
  /** Path of the source package. */
  readonly srpm: string;
  readonly target: string;
  readonly channel: string;
  readonly mode: 'scratch' | 'tagged';
  /** Cancel the build once its buildroot is BUILDING and `build.log` has begun. */
  readonly cancel: boolean;
}

const Buildroots = z.array(z.looseObject({ id: z.int(), state: z.int() }));
const pollMs = 1000;
/** How long a canceled build's host may take to notice, end the processes and tell the hub. */
const cancelMs = 120_000;

/** What a case is called in records: `td1-scratch-hello-1.0-1.td1`, `td1-canceled-...`. */
export function caseName({ srpm, target, mode, cancel }: BuildCase): string {
  return `${target}-${cancel ? 'canceled' : mode}-${basename(srpm, '.src.rpm')}`;
}

/** Asks the hub for a build and waits for its end; gives the id of the build task. */
export async function runCase(
  client: HubClient,
  what: BuildCase,
  clock: Clock,
  signal: AbortSignal,
): Promise<number> {
  const source = await client.uploadFile(what.srpm, `cli-build/${crypto.randomUUID()}`, signal);
  const options = what.mode === 'scratch' ? { scratch: true } : {};
  const id = z
    .int()
    .parse(await client.call('build', [source, what.target, options], { channel: what.channel }));
  const watch = { clock, intervalMs: pollMs, signal, onChange: () => undefined };
  if (!what.cancel) {
    await client.watchTask(id, watch);
    return id;
  }
  const buildArch = await untilBuilding(client, id, clock, signal);
  await client.call('cancelTask', [id]);
  await client.watchTask(id, watch);
  await untilExpired(client, buildArch, clock, signal);
  return id;
}

/** Takes a build out of its tags and resets it, so that it can be built once more under the same number. */
export async function resetBuild(client: HubClient, build: NonNullable<BuildRecord['build']>): Promise<void> {
  const id = Number(build.info['id']);
  for (const tag of build.tags) await client.call('untagBuild', [String(tag['name']), id]);
  await client.call('resetBuild', [id]);
}

/** Waits until rpmbuild runs in the buildroot of the first `buildArch`. */
async function untilBuilding(
  client: HubClient,
  id: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<number> {
  for (;;) {
    const tree = await client.taskTree(id);
    if ([taskState.CLOSED, taskState.CANCELED, taskState.FAILED].some((ended) => ended === tree.state))
      throw new Error(`task ${id} has ended before it could be canceled`);
    const task = tree.children.find((child: WatchedTask) => child.method === 'buildArch');
    if (task !== undefined) {
      const buildroots = Buildroots.parse(await client.call('listBuildroots', [], { taskID: task.id }));
      const output = z.array(z.string()).parse(await client.call('listTaskOutput', [task.id]));
      const building = buildroots.some(({ state }) => state === buildrootState.BUILDING);
      if (building && output.includes('build.log') && (await rpmbuildRuns(client, task.id))) {
        // Logs travel in steps of seconds; what the build says at its start shall be on the hub.
        await clock.sleep(5 * pollMs, signal);
        return task.id;
      }
    }
    await clock.sleep(pollMs, signal);
  }
}

/** Whether `build.log` shows that rpmbuild executes a section of the spec. */
async function rpmbuildRuns(client: HubClient, id: number): Promise<boolean> {
  const start = z.string().parse(await client.call('downloadTaskOutput', [id, 'build.log', 0, 1024 * 1024]));
  return Buffer.from(start, 'base64').includes('Executing(%');
}

async function untilExpired(client: HubClient, id: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const endMs = clock.now() + cancelMs;
  for (;;) {
    const found = Buildroots.parse(await client.call('listBuildroots', [], { taskID: id }));
    if (found.every(({ state }) => state === buildrootState.EXPIRED)) return;
    if (clock.now() > endMs) throw new Error(`the buildroots of task ${id} are still not expired`);
    await clock.sleep(pollMs, signal);
  }
}
