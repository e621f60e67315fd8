import { buildStates, taskStates } from '../../hub/api/schema.ts';
import { BadNvr } from '../../rpm/errors.ts';
import { parseNvr } from '../../rpm/nvr.ts';
import { CannotCompare } from './errors.ts';
import {
  type BuildArchRequest,
  type BuildArchResult,
  type Buildroot,
  parseBuildArchRequest,
  type ReadOnlyHub,
  type TaskRow,
} from './read-only-hub.ts';

/** A buildArch task that another builder has finished. */
export interface ReferenceBuild {
  readonly task: TaskRow;
  readonly request: BuildArchRequest;
  readonly result: BuildArchResult;
  readonly buildroot: Buildroot;
}

/**
 * The finished buildArch tasks that `target` names: the id of one, or of a build with some below it, or the
 * NVR of a build. Of those below a build only the ones of `arch`, when it is given. Throws `CannotCompare`
 * when there are none, or they did not end well.
 */
export async function findTheirBuilds(
  target: string,
  arch: string | null,
  hub: ReadOnlyHub,
  signal: AbortSignal,
): Promise<readonly ReferenceBuild[]> {
  const taskId = /^\d+$/.test(target) ? Number(target) : await taskOfBuild(target, hub, signal);
  const task = Number.isSafeInteger(taskId) ? await hub.task(taskId, signal) : null;
  if (task === null) throw new CannotCompare(`the hub has no task ${target}`);
  const tasks = await buildArchTasks(task, arch, hub, signal);
  const builds: ReferenceBuild[] = [];
  for (const one of tasks) builds.push(await readBuild(one, hub, signal));
  return builds;
}

/** The arch of the root they built in: of a noarch task it was their builder's choice. */
export function rootArchOf({ request, buildroot }: ReferenceBuild): string {
  return request.arch === 'noarch' ? buildroot.arch : request.arch;
}

async function taskOfBuild(target: string, hub: ReadOnlyHub, signal: AbortSignal): Promise<number> {
  checkNvr(target);
  const build = await hub.builds.getBuild(target, signal);
  if (build === null) throw new CannotCompare(`the hub has no build ${target}`);
  if (build.state !== buildStates.complete)
    throw new CannotCompare(
      `build ${target} is ${nameOf(buildStates, build.state)}; only a COMPLETE one can be compared`,
    );
  if (build.taskId === null)
    throw new CannotCompare(`build ${target} was imported: there is no task to do again`);
  return build.taskId;
}

function checkNvr(text: string): void {
  try {
    parseNvr(text);
  } catch (error) {
    if (!(error instanceof BadNvr)) throw error;
    throw new CannotCompare(`"${text}" is neither the number of a task nor a name-version-release`);
  }
}

async function buildArchTasks(
  task: TaskRow,
  arch: string | null,
  hub: ReadOnlyHub,
  signal: AbortSignal,
): Promise<readonly TaskRow[]> {
  const isBuildArch = ({ method }: TaskRow): boolean => method === 'buildArch';
  const below = isBuildArch(task) ? [task] : (await hub.children(task.id, signal)).filter(isBuildArch);
  if (below.length === 0)
    throw new CannotCompare(
      `task ${task.id} is ${task.method} (${nameOf(taskStates, task.state)}) with no buildArch below it; name a buildArch, or a build that has one`,
    );
  const chosen = below.filter(
    (child) => arch === null || parseBuildArchRequest(child.request)?.arch === arch,
  );
  if (chosen.length === 0)
    throw new CannotCompare(
      `task ${task.id} is not a build for ${arch}, only for ${below.map((child) => parseBuildArchRequest(child.request)?.arch ?? child.arch).join(', ')}`,
    );
  return chosen.sort((a, b) => a.id - b.id).map(closed);
}

function closed(task: TaskRow): TaskRow {
  if (task.state === taskStates.closed) return task;
  const state = nameOf(taskStates, task.state);
  const hint =
    task.state === taskStates.failed || task.state === taskStates.canceled
      ? 'it has left nothing to compare with'
      : 'wait for its end';
  throw new CannotCompare(`task ${task.id} (buildArch) is ${state}: ${hint}`);
}

async function readBuild(task: TaskRow, hub: ReadOnlyHub, signal: AbortSignal): Promise<ReferenceBuild> {
  const request = parseBuildArchRequest(task.request);
  if (request === null) throw new CannotCompare(`task ${task.id} names no repo, or has unknown parameters`);
  const result = await hub.buildArchResult(task.id, signal);
  const buildroot = await hub.buildroot(result.brootid, signal);
  if (buildroot === null)
    throw new CannotCompare(`the hub has no buildroot ${result.brootid} of task ${task.id}`);
  return { task, request, result, buildroot };
}

/** Koji's word for a state. */
function nameOf(states: Readonly<Record<string, number>>, state: number): string {
  const [name] = Object.entries(states).find(([, number]) => number === state) ?? [String(state)];
  return name.toUpperCase();
}
