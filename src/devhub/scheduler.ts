import { z } from 'zod';
import { splitKeywords } from '../hub/xmlrpc/codec.ts';
import { decodeCall } from '../hub/xmlrpc/decode.ts';
import { canonArch } from '../rpm/arch.ts';
import type { Call } from './call.ts';
import { type Hub, nowSeconds } from './hub.ts';
import { type HostRow, type TaskRow, taskState } from './rows.ts';

interface HostLoad {
  readonly host: HostRow;
  load: number;
  tasks: number;
}

/**
 * Assigns FREE tasks to hosts that can take them, first by priority, then by age (`kojihub/scheduler.py`). Runs at
 * most once per run interval. The hub's timeouts for silent hosts are not part of the development hub.
 */
export function runScheduler(hub: Hub, force = false): void {
  const { schedulerRuns, tasks } = hub.state.tables;
  const now = nowSeconds(hub);
  const last = schedulerRuns.get(1);
  if (!force && last !== undefined && now - last.time < hub.settings.runIntervalMs / 1000) return;
  if (last === undefined) schedulerRuns.insert({ time: now });
  else schedulerRuns.update(last.id, { time: now });
  const loads = hub.state.tables.hosts
    .filter((host) => host.enabled && host.ready)
    .map((host) => loadOf(hub, host));
  const free = tasks.filter((task) => task.state === taskState.FREE);
  free.sort((a, b) => a.priority - b.priority || a.create_time - b.create_time || a.id - b.id);
  for (const task of free) assign(hub, task, loads);
}

function loadOf(hub: Hub, host: HostRow): HostLoad {
  const active: readonly number[] = [taskState.OPEN, taskState.ASSIGNED];
  const mine = hub.state.tables.tasks.filter(
    (task) => task.host_id === host.id && active.includes(task.state),
  );
  const load = mine.filter((task) => task.waiting !== true).reduce((sum, task) => sum + task.weight, 0);
  return { host, load, tasks: mine.length };
}

function assign(hub: Hub, task: TaskRow, loads: HostLoad[]): void {
  const { refusals, tasks } = hub.state.tables;
  const softUntil = nowSeconds(hub) - hub.settings.softRefusalMs / 1000;
  const lasts = ({ soft, time }: { readonly soft: boolean; readonly time: number }): boolean =>
    !soft || time > softUntil;
  const needed = Math.max(0, task.weight - hub.settings.capacityOvercommit);
  const [best] = loads
    .filter(({ host }) => host.channels.includes(task.channel_id))
    .filter(({ host }) => [...host.arches.split(' '), 'noarch'].includes(task.arch))
    .filter(({ host, tasks }) => tasks < (host.maxjobs ?? hub.settings.maxJobs))
    .filter(({ host, load }) => host.capacity - load > needed)
    .filter(
      ({ host }) => !refusals.find((row) => row.task_id === task.id && row.host_id === host.id && lasts(row)),
    )
    .sort((a, b) => a.load + a.tasks - (b.load + b.tasks));
  if (best === undefined) return;
  tasks.update(task.id, { state: taskState.ASSIGNED, host_id: best.host.id });
  best.load += task.weight;
  best.tasks += 1;
}

/** Remembers that a host will not run a task; a host has one refusal per task, the latest. */
export function setRefusal(call: Call, hostId: number, taskId: number, soft: boolean, msg: string): void {
  const { refusals } = call.hub.state.tables;
  const columns = { soft, msg, time: call.now };
  const existing = refusals.find((row) => row.host_id === hostId && row.task_id === taskId);
  if (existing === undefined) refusals.insert({ host_id: hostId, task_id: taskId, ...columns });
  else refusals.update(existing.id, columns);
}

const BuildTag = z.union([z.string(), z.int()]);

/** A noarch build needs a host with one of its build tag's arches: the others refuse it from the start (`auto_arch_refuse`). */
export function refuseByArch(call: Call, task: TaskRow): void {
  if (task.arch !== 'noarch' || !['buildArch', 'rebuildSRPM'].includes(task.method)) return;
  const { params } = splitKeywords(decodeCall(task.request).params);
  const wanted = BuildTag.safeParse(params[1]);
  const { tags, hosts } = call.hub.state.tables;
  const tag = wanted.success
    ? tags.find((row) => row.id === wanted.data || row.name === wanted.data)
    : undefined;
  if (tag?.arches === undefined || tag.arches === null) return;
  const arches = tag.arches.split(' ').map(canonArch);
  for (const host of hosts.filter((row) => row.enabled && row.channels.includes(task.channel_id)))
    if (!host.arches.split(' ').some((arch) => arches.includes(arch)))
      setRefusal(call, host.id, task.id, false, 'automatic arch refusal');
}
