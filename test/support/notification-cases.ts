import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { AnyRpcValue } from '../../src/hub/api/schema.ts';
import { HubFault } from '../../src/hub/faults.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import type { ScriptedCall, ScriptedSession } from './scripted-session.ts';

const Task = z.object({
  id: z.int(),
  method: z.string(),
  arch: z.string(),
  label: z.string().nullable(),
  state: z.int(),
  parent: z.int().nullable(),
  host_id: z.int().nullable(),
  owner: z.int().nullable(),
  request: z.array(AnyRpcValue),
  files: z.record(z.string(), z.array(z.string())),
  fault: z.tuple([z.int(), z.string()]).optional(),
});
const Case = z.object({
  name: z.string(),
  method: z.string(),
  params: z.array(AnyRpcValue),
  timeZone: z.string(),
  fromAddr: z.string(),
  world: z.object({
    tasks: z.array(Task),
    hosts: z.record(z.string(), z.string()),
    users: z.record(z.string(), z.string()),
    tags: z.record(z.string(), z.string()),
    builds: z.record(z.string(), AnyRpcValue),
    changelog: z.array(AnyRpcValue),
  }),
  result: z.string().nullable(),
  mail: z.string().nullable(),
});

/** Task 5, a notification, the hub it asks, and the mail that kojid makes of both with topurl `http://hub/files`. */
export type NotificationCase = z.infer<typeof Case>;

const folder = `${import.meta.dirname}/../fixtures/notifications`;
const readJson = (name: string): unknown => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'));

export const notificationCases = (): readonly NotificationCase[] =>
  z.array(Case).parse(readJson('mails.json'));

/** Tasks with the labels that koji gives them. */
export const labelCases = () =>
  z
    .array(
      z.object({ method: z.string(), arch: z.string(), request: z.array(AnyRpcValue), label: z.string() }),
    )
    .parse(readJson('labels.json'));

/** Lets a session answer as the hub of a case did. */
export function answerAs({ world }: NotificationCase, session: ScriptedSession): void {
  const rows: readonly z.infer<typeof Task>[] = world.tasks;
  const taskOf = ({ params: [id] }: ScriptedCall) => rows.find((task) => task.id === id);
  const toRow = ({ files: _files, fault: _fault, ...row }: z.infer<typeof Task>): RpcValue => ({
    ...row,
    channel_id: 1,
    priority: 20,
    weight: 1,
    create_ts: 1.5,
  });
  const descendants = (id: number): readonly [string, RpcValue][] => {
    const children = rows.filter(({ parent }) => parent === id);
    return [[String(id), children.map(toRow)], ...children.flatMap((child) => descendants(child.id))];
  };
  const named = (names: Readonly<Record<string, string>>, call: ScriptedCall, none: string): RpcValue => {
    const name = names[String(call.params[0] ?? none)];
    return name === undefined ? null : { id: 1, name };
  };
  session
    .on('getTaskInfo', (call) => {
      const task = taskOf(call);
      return task === undefined ? null : toRow(task);
    })
    .on('getTaskDescendents', ({ params: [id] }) => Object.fromEntries(descendants(Number(id))))
    .on('getTaskResult', (call) => {
      throw new HubFault(...(taskOf(call)?.fault ?? [1000, 'no result']));
    })
    .on('listTaskOutput', (call) => taskOf(call)?.files ?? {})
    .on('getHost', (call) => named(world.hosts, call, ''))
    .on('getUser', (call) => named(world.users, call, 'me'))
    .on('getTag', (call) => named(world.tags, call, ''))
    .on('getBuild', ({ params: [build] }) => world.builds[String(build)] ?? null)
    .on('getChangelogEntries', ({ keywords }) => {
      const { limit } = z.object({ limit: z.int() }).parse(keywords['queryOpts']);
      return world.changelog.slice(0, limit);
    });
}
