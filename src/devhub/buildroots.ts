import { z } from 'zod';
import { faultCodes } from '../core/koji-faults.ts';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { type Call, double, type MethodTable, method, timeText } from './call.ts';
import { generic, notAllowed, Refusal, required } from './faults.ts';
import { type BuildrootRow, buildrootState, stateName } from './rows.ts';
import { RpmReference, resolveRpm } from './rpms.ts';
import { assertHost } from './sessions.ts';
import { assertTaskOfHost, checkArches } from './tasks.ts';

const listArguments = {
  brootid: z.int(),
  rpmlist: z.array(RpmReference),
  task_id: z.int().nullish(),
};

/** The buildroot, if it is the calling host's and, when a task is named, that task's. */
function mustOwn(call: Call, id: number, taskId: number | null | undefined): BuildrootRow {
  const host = assertHost(call);
  if (typeof taskId === 'number') assertTaskOfHost(call, taskId, host.id);
  const buildroot = required(call.hub.state.tables.buildroots.get(id), `no buildroot with ID: ${id}`);
  if (buildroot.host_id !== host.id) throw notAllowed(`Host ${host.id} not owner of buildroot ${id}`);
  if (typeof taskId === 'number' && buildroot.task_id !== taskId)
    throw notAllowed(`Task ${taskId} does not have lock on buildroot ${id}`);
  return buildroot;
}

function assertState(buildroot: BuildrootRow, state: number): void {
  if (buildroot.state !== state) throw generic(`buildroot ${buildroot.id} in wrong state ${buildroot.state}`);
}

/** Adds packages to a buildroot's list. Without `isUpdate` a package must not be there yet; with it, it is skipped. */
function addRpms(
  call: Call,
  buildroot: BuildrootRow,
  references: readonly RpmReference[],
  isUpdate: boolean,
): void {
  const listed = new Set(buildroot.rpms.map((entry) => entry.rpm_id));
  const added: { rpm_id: number; is_update: boolean }[] = [];
  for (const reference of references) {
    const { id } = resolveRpm(call, reference);
    if (isUpdate && listed.has(id)) continue;
    if (listed.has(id) || added.some((entry) => entry.rpm_id === id))
      throw new Refusal(
        faultCodes.unhandled,
        `rpm ${id} is in the list of buildroot ${buildroot.id} already`,
      );
    added.push({ rpm_id: id, is_update: isUpdate });
  }
  call.hub.state.tables.buildroots.update(buildroot.id, { rpms: [...buildroot.rpms, ...added] });
}

function parseState(state: string | number): number {
  const code =
    typeof state === 'number' ? state : Object.entries(buildrootState).find(([name]) => name === state)?.[1];
  if (code === undefined || stateName(buildrootState, code) === String(code))
    throw new Refusal(faultCodes.unhandled, `there is no buildroot state ${state}`);
  return code;
}

/** INIT never comes back and EXPIRED is final; expiring twice is allowed. */
function setState(call: Call, buildroot: BuildrootRow, state: number): void {
  if (state === buildrootState.INIT) throw generic('Cannot change buildroot state to INIT');
  if (buildroot.state === buildrootState.EXPIRED) {
    if (state === buildrootState.EXPIRED) return;
    throw generic(`buildroot ${buildroot.id} is EXPIRED`);
  }
  const retire_event = state === buildrootState.EXPIRED ? call.event() : null;
  call.hub.state.tables.buildroots.update(buildroot.id, { state, retire_event });
}

function toBuildrootInfo(call: Call, buildroot: BuildrootRow): RpcValue {
  const { hosts, repos, tags, events } = call.hub.state.tables;
  const repo = repos.mustGet(buildroot.repo_id);
  const created = events.mustGet(buildroot.create_event);
  const retired = events.get(buildroot.retire_event);
  const repoCreated = events.mustGet(repo.create_event);
  return {
    id: buildroot.id,
    br_type: 0,
    cg_id: null,
    cg_name: null,
    cg_version: null,
    host_os: null,
    host_arch: null,
    arch: buildroot.arch,
    container_arch: buildroot.arch,
    container_type: 'chroot',
    state: buildroot.state,
    task_id: buildroot.task_id,
    host_id: buildroot.host_id,
    host_name: hosts.mustGet(buildroot.host_id).name,
    repo_id: repo.id,
    repo_state: repo.state,
    tag_id: repo.tag_id,
    tag_name: tags.mustGet(repo.tag_id).name,
    create_event_id: created.id,
    create_event_time: timeText(created.time),
    create_ts: double(created.time),
    retire_event_id: buildroot.retire_event,
    retire_event_time: timeText(retired?.time ?? null),
    retire_ts: double(retired?.time ?? null),
    repo_create_event_id: repoCreated.id,
    repo_create_event_time: timeText(repoCreated.time),
    extra: null,
  };
}

/** Packages of a buildroot in the order they were listed (`kojihub.list_rpms`). */
function listedRpms(call: Call, buildroot: BuildrootRow): RpcValue[] {
  const { rpms, externalRepos } = call.hub.state.tables;
  return buildroot.rpms.map(({ rpm_id, is_update }) => {
    const rpm = rpms.mustGet(rpm_id);
    return {
      ...rpm,
      nvr: `${rpm.name}-${rpm.version}-${rpm.release}`,
      external_repo_name: externalRepos.get(rpm.external_repo_id)?.name ?? 'INTERNAL',
      component_buildroot_id: buildroot.id,
      is_update,
      draft: false,
      metadata_only: false,
      extra: null,
    };
  });
}

const OneOrMany = z.union([z.int(), z.array(z.int())]);
const matches = (wanted: number | number[] | null | undefined, value: number): boolean =>
  wanted === undefined ||
  wanted === null ||
  (Array.isArray(wanted) ? wanted.includes(value) : wanted === value);

/** The hub's record of buildroots and of what was in them. */
export const buildrootMethods: MethodTable = {
  'host.newBuildRoot': method(
    { repo: z.int(), arch: z.string(), task_id: z.int().nullish() },
    (call, { repo, arch, task_id }) => {
      const host = assertHost(call);
      const arches = checkArches(arch);
      // The real hub leaves these two to its database, hence the code.
      if (typeof task_id !== 'number') throw new Refusal(faultCodes.unhandled, 'a buildroot needs its task');
      assertTaskOfHost(call, task_id, host.id);
      if (call.hub.state.tables.repos.get(repo) === undefined)
        throw new Refusal(faultCodes.unhandled, `there is no repo ${repo}`);
      return call.hub.state.tables.buildroots.insert({
        host_id: host.id,
        repo_id: repo,
        task_id,
        arch: arches,
        state: buildrootState.INIT,
        create_event: call.event(),
        retire_event: null,
        rpms: [],
      }).id;
    },
  ),
  'host.setBuildRootList': method(listArguments, (call, { brootid, rpmlist, task_id }) => {
    const buildroot = mustOwn(call, brootid, task_id);
    assertState(buildroot, buildrootState.INIT);
    addRpms(call, buildroot, rpmlist, false);
    return null;
  }),
  'host.updateBuildRootList': method(listArguments, (call, { brootid, rpmlist, task_id }) => {
    const buildroot = mustOwn(call, brootid, task_id);
    assertState(buildroot, buildrootState.BUILDING);
    addRpms(call, buildroot, rpmlist, true);
    return null;
  }),
  'host.setBuildRootState': method(
    { brootid: z.int(), state: z.union([z.int(), z.string()]), task_id: z.int().nullish() },
    (call, { brootid, state, task_id }) => {
      setState(call, mustOwn(call, brootid, task_id), parseState(state));
      return null;
    },
  ),
  // Of the real one's filters only the one that builders use.
  listRPMs: method(
    {
      componentBuildrootID: z.int(),
      queryOpts: z.strictObject({ countOnly: z.boolean() }).nullish(),
    },
    (call, { componentBuildrootID, queryOpts }) => {
      const buildroot = call.hub.state.tables.buildroots.get(componentBuildrootID);
      const rpms = buildroot === undefined ? [] : listedRpms(call, buildroot);
      return queryOpts?.countOnly === true ? rpms.length : rpms;
    },
  ),
  listBuildroots: method(
    {
      hostID: z.int().nullish(),
      tagID: z.int().nullish(),
      state: OneOrMany.nullish(),
      rpmID: z.int().nullish(),
      archiveID: z.null().optional(),
      taskID: z.int().nullish(),
      buildrootID: OneOrMany.nullish(),
      repoID: z.int().nullish(),
    },
    (call, wanted) =>
      call.hub.state.tables.buildroots
        .filter((row) => matches(wanted.hostID, row.host_id))
        .filter((row) => matches(wanted.state, row.state))
        .filter((row) => matches(wanted.taskID, row.task_id))
        .filter((row) => matches(wanted.buildrootID, row.id))
        .filter((row) => matches(wanted.repoID, row.repo_id))
        .filter((row) => matches(wanted.tagID, call.hub.state.tables.repos.mustGet(row.repo_id).tag_id))
        .filter(
          (row) =>
            typeof wanted.rpmID !== 'number' || row.rpms.some((entry) => entry.rpm_id === wanted.rpmID),
        )
        .map((row) => toBuildrootInfo(call, row)),
  ),
};
