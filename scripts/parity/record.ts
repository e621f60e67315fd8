import { createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { HubClient } from '../../src/devhub/client.ts';
import { HubFault } from '../../src/hub/faults.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import { BuildRecord, type Json, type TaskRecord } from './record-schema.ts';
import type { BuildCase } from './submit.ts';

const TaskInfo = z.looseObject({
  id: z.int(),
  method: z.string(),
  label: z.string().nullable(),
  arch: z.string(),
});
const Structs = z.array(z.record(z.string(), z.json()));
const Output = z.record(z.string(), z.record(z.string(), z.record(z.string(), z.json())));
const Builds = z.array(z.looseObject({ build_id: z.int() }));

/**
 * Writes what the hub knows of a finished build into a directory: `record.json`, and `files/` with all that its
 * tasks have uploaded. `filesUrl` is the URL of the hub's tree.
 */
export async function recordBuild(
  client: HubClient,
  filesUrl: string,
  taskId: number,
  what: BuildCase,
  directory: string,
): Promise<BuildRecord> {
  await rm(directory, { recursive: true, force: true });
  const tasks: TaskRecord[] = [];
  for (const { id, name } of await taskNames(client, taskId, ''))
    tasks.push(await recordTask(client, id, name));
  for (const task of tasks)
    for (const file of Object.keys(task.output)) {
      const to = join(directory, 'files', task.name);
      await mkdir(to, { recursive: true });
      await download(`${filesUrl}/work/tasks/${task.id % 10_000}/${task.id}/${file}`, join(to, file));
    }
  const record = BuildRecord.parse({
    target: what.target,
    sourcePackage: basename(what.srpm),
    mode: what.mode,
    canceled: what.cancel,
    tasks,
    build: await recordOfBuild(client, taskId),
  });
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'record.json'), `${JSON.stringify(record, null, 1)}\n`);
  return record;
}

async function taskNames(
  client: HubClient,
  id: number,
  above: string,
): Promise<readonly { readonly id: number; readonly name: string }[]> {
  const info = TaskInfo.parse(await client.call('getTaskInfo', [id]));
  const own = above === '' ? info.method : `${info.method} ${info.label ?? info.arch}`;
  const children = z.array(TaskInfo).parse(await client.call('getTaskChildren', [id]));
  const below = [];
  for (const child of children.toSorted((a, b) => a.id - b.id))
    below.push(...(await taskNames(client, child.id, `${above}${own}/`)));
  return [{ id, name: `${above}${own}` }, ...below];
}

async function recordTask(client: HubClient, id: number, name: string): Promise<TaskRecord> {
  const buildroots = [];
  const found = Structs.parse(toJson(await client.call('listBuildroots', [], { taskID: id })));
  for (const info of found.toSorted((a, b) => Number(a['id']) - Number(b['id']))) {
    const packages = await client.call('listRPMs', [], { componentBuildrootID: Number(info['id']) });
    buildroots.push({ info, packages: Structs.parse(toJson(packages)) });
  }
  return {
    id,
    name,
    info: z
      .record(z.string(), z.json())
      .parse(toJson(await client.call('getTaskInfo', [id], { request: true }))),
    ...(await endOf(client, id)),
    output: Output.parse(
      toJson(await client.call('listTaskOutput', [id], { stat: true, all_volumes: true })),
    ),
    buildroots,
  };
}

async function endOf(client: HubClient, id: number): Promise<Pick<TaskRecord, 'result' | 'fault'>> {
  try {
    return { result: toJson(await client.call('getTaskResult', [id])), fault: null };
  } catch (error) {
    if (!(error instanceof HubFault)) throw error;
    return { result: null, fault: { code: error.faultCode, text: error.faultString } };
  }
}

async function recordOfBuild(client: HubClient, taskId: number): Promise<unknown> {
  const [build] = Builds.parse(await client.call('listBuilds', [], { taskID: taskId }));
  if (build === undefined) return null;
  const ask = async (method: string) => toJson(await client.call(method, [build.build_id]));
  return {
    info: await ask('getBuild'),
    logs: await ask('getBuildLogs'),
    rpms: await ask('listBuildRPMs'),
    archives: await ask('listArchives'),
    tags: await ask('listTags'),
    types: await ask('getBuildType'),
  };
}

/** The hub's answer as JSON has it: numbers beyond 53 bits as text. */
function toJson(value: RpcValue): Json {
  return z
    .json()
    .parse(
      JSON.parse(
        JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? `${member}` : member)),
      ),
    );
}

async function download(url: string, path: string): Promise<void> {
  const response = await fetch(url);
  if (!response.ok || response.body === null) throw new Error(`${url}: HTTP ${response.status}`);
  await pipeline(Readable.fromWeb(response.body), createWriteStream(path));
}
