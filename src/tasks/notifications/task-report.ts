import { kojiExceptionOf } from '../../core/koji-faults.ts';
import type { NotificationsApi } from '../../hub/api/notifications.ts';
import { type TaskInfo, taskStates } from '../../hub/api/schema.ts';
import { HubFault } from '../../hub/faults.ts';
import { taskLabel } from './task-label.ts';

/** A file of a task and the volume it lies on. */
export interface TaskFile {
  readonly name: string;
  readonly volume: string;
}

/** What a mail tells of one task of a build. */
export interface TaskReport {
  readonly id: number;
  readonly state: keyof typeof taskStates;
  readonly label: string;
  readonly arch: string;
  /** The label its parent gave it; for the tasks that build it is the directory of their packages. */
  readonly buildArch: string;
  readonly host: string | null;
  /** Files by kind; source packages in the order of the hub. */
  readonly logs: readonly TaskFile[];
  readonly rpms: readonly string[];
  readonly srpms: readonly string[];
  readonly others: readonly TaskFile[];
}

/** A task and all below it, as kojid's mails list them (`builder/kojid BuildNotificationTask._getTaskData`). */
export async function reportTasks(
  taskId: number,
  hub: NotificationsApi,
  signal: AbortSignal,
): Promise<readonly TaskReport[]> {
  const hosts = new Map<number, string | null>();
  const reports: TaskReport[] = [];
  for (const task of await hub.taskTree(taskId, signal)) {
    const { hostId } = task;
    if (hostId !== null && !hosts.has(hostId)) hosts.set(hostId, await hub.hostName(hostId, signal));
    const host = hostId === null ? null : (hosts.get(hostId) ?? null);
    reports.push(toReport(task, host, await hub.taskOutput(task.id, signal)));
  }
  return reports;
}

/** Why a task failed, in kojid's words: its fault after the name of Koji's exception with that code. */
export async function failureOf(taskId: number, hub: NotificationsApi, signal: AbortSignal): Promise<string> {
  let text: string;
  try {
    const result = await hub.taskResult(taskId, signal);
    text = typeof result === 'string' ? result : '';
  } catch (error) {
    if (!(error instanceof HubFault)) throw error;
    const exception = kojiExceptionOf(error.faultCode);
    text = `${exception === null ? '' : `${exception}: `}${error.faultString}`.trim();
  }
  return text || 'Unknown';
}

function toReport(
  task: TaskInfo,
  host: string | null,
  output: ReadonlyMap<string, readonly string[]>,
): TaskReport {
  const names = [...output.keys()];
  const isLog = (name: string) => name.endsWith('.log');
  const isSource = (name: string) => name.endsWith('.src.rpm');
  const isPackage = (name: string) => name.endsWith('.rpm');
  const placed = (some: readonly string[]): readonly TaskFile[] =>
    some
      .flatMap((name) => (output.get(name) ?? []).map((volume) => ({ name, volume })))
      .sort((a, b) => compare(a.volume, b.volume) || compare(a.name, b.name));
  return {
    id: task.id,
    state: stateName(task.state),
    label: taskLabel(task),
    arch: task.arch,
    buildArch: task.label ?? '',
    host,
    logs: placed(names.filter(isLog)),
    rpms: names.filter((name) => isPackage(name) && !isSource(name)).sort(compare),
    srpms: names.filter(isSource),
    others: placed(names.filter((name) => !isLog(name) && !isPackage(name))),
  };
}

function stateName(state: number): keyof typeof taskStates {
  for (const name of ['free', 'open', 'closed', 'canceled', 'assigned', 'failed'] as const) {
    if (taskStates[name] === state) return name;
  }
  throw new Error(`the hub knows a task state ${state}, this builder does not`);
}

/** By code units, as Python sorts; the order of words in a language does not matter here. */
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
