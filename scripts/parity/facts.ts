import type { BuildRecord, Json, JsonStruct, TaskRecord } from './record-schema.ts';

/** What a hub knows of a build, one text per field, under paths such as `build/buildArch x86_64/info/priority`. */
export type Facts = ReadonlyMap<string, string>;

/** What must differ between two builds of one package, by the names of its fields: only whether it is there counts. */
const varying: readonly (readonly [field: RegExp, stand: string])[] = [
  [/(_time|_ts|^buildtime)$/, '<time>'],
  [/event_id$/, '<event>'],
  [/^host_(id|name)$/, '<host>'],
  [/^channel_id$/, '<channel>'],
  [/^repo_id$/, '<repo>'],
];
/** Fields of `listTaskOutput` that say when a file was written. */
const fileTimes = /^st_[acm]time$/;
/** Files of which the length tells nothing: logs, and what has the number of a task in it. */
const ofAnyLength = /\.log$|^noarch_rpmdiff\.json$/;

/**
 * The facts of a record with everything replaced that only says which build it was: ids of its tasks, its
 * buildroots and itself by what they are, times and events by their being there. Lists that kojid gives in random
 * order have their items for fields.
 */
export function toFacts(record: BuildRecord): Facts {
  const names = namesOf(record);
  const facts = new Map<string, string>();
  const add = (path: string, value: Json) => flatten(facts, path, value);
  add('tasks', record.tasks.map(({ name }) => name).sort());
  for (const task of record.tasks) {
    const { id, ...info } = task.info;
    add(`${task.name}/info`, neutral(info, names));
    add(`${task.name}/result`, unordered(neutral(task.result, names)));
    add(`${task.name}/fault`, neutral(task.fault, names));
    for (const [file, volumes] of Object.entries(task.output))
      add(`${task.name}/output/${file}`, neutral(withoutTimes(file, volumes), names));
    task.buildroots.forEach((buildroot, index) => {
      const path = `${task.name}/buildroot ${index + 1}`;
      const { id: own, ...fields } = buildroot.info;
      add(path, neutral(fields, names));
      for (const rpm of buildroot.packages) add(`${path}/packages/${nvra(rpm)}`, ofPackage(rpm, names));
    });
  }
  addBuild(record, names, add);
  return facts;
}

function addBuild({ build }: BuildRecord, names: Names, add: (path: string, value: Json) => void): void {
  if (build === null) return;
  add('record/info', neutral(build.info, names));
  add('record/types', neutral(build.types, names));
  for (const log of build.logs) add(`record/logs/${String(log['path'])}`, neutral(log, names));
  for (const { id, ...rpm } of build.rpms) add(`record/rpms/${nvra(rpm)}`, ofPackage(rpm, names));
  for (const { id, ...archive } of build.archives)
    add(`record/archives/${String(archive['filename'])}`, neutral(archive, names));
  for (const tag of build.tags) add(`record/tags/${String(tag['name'])}`, neutral(tag, names));
}

/** What the ids in a record stand for. */
export interface Names {
  readonly tasks: ReadonlyMap<number, string>;
  readonly buildroots: ReadonlyMap<number, string>;
  readonly buildId: number | null;
}

/** The ids of a record's tasks, buildroots and build, and what they stand for. */
export function namesOf({ tasks, build }: BuildRecord): Names {
  const buildroots = tasks.flatMap((task) =>
    task.buildroots.map(
      ({ info }, index) => [Number(info['id']), `<buildroot ${index + 1} of ${task.name}>`] as const,
    ),
  );
  return {
    tasks: new Map(tasks.map(({ id, name }) => [id, `<task ${name}>`])),
    buildroots: new Map(buildroots),
    buildId: build === null ? null : Number(build.info['id']),
  };
}

function neutral(value: Json, names: Names, field = ''): Json {
  if (value === null || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((item) => neutral(item, names, field));
  if (typeof value === 'object')
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, neutral(member, names, key)]),
    );
  const stand = varying.find(([pattern]) => pattern.test(field))?.[1];
  if (stand !== undefined) return stand;
  if (typeof value === 'string') return neutralText(value, names);
  if (/^(parent|task_id)$/.test(field)) return names.tasks.get(value) ?? value;
  if (/^(brootid|buildroot_id|component_buildroot_id)$/.test(field))
    return names.buildroots.get(value) ?? value;
  if (/^(build_id|id|)$/.test(field) && value === names.buildId) return '<build>';
  return value;
}

/** A row of a package. Its texts stay as they are: a part of a version may be the number of a task on a young hub. */
function ofPackage(rpm: JsonStruct, names: Names): Json {
  const fields = Object.entries(rpm);
  return Object.fromEntries(
    fields.map(([key, value]) => [key, typeof value === 'string' ? value : neutral(value, names, key)]),
  );
}

/** Text without numbers of tasks, buildroots and repos, and without the directory a client uploads to. */
export function neutralText(text: string, names: Names): string {
  return text
    .replace(/\bcli-build\/[^/]+\//g, 'cli-build/*/')
    .replace(/\btasks\/\d+\/(\d+)\b/g, (all, id: string) => names.tasks.get(Number(id)) ?? all)
    .replace(/-(\d+)-\d+\b/g, (all, id: string) => {
      const buildroot = names.buildroots.get(Number(id));
      return buildroot === undefined ? all : `-${buildroot}-<repo>`;
    })
    .replace(/\b\d{2,}\b/g, (id) => names.tasks.get(Number(id)) ?? id);
}

/** Results are structs of lists: of logs, packages, source packages. Their order says nothing, so each item is a field. */
function unordered(value: Json): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, Array.isArray(member) ? countItems(member) : member]),
  );
}

function countItems(items: readonly Json[]): Json {
  const counts: Record<string, number> = {};
  for (const item of items) {
    const name = typeof item === 'string' ? item : JSON.stringify(item);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function withoutTimes(file: string, volumes: TaskRecord['output'][string]): Json {
  const kept = (name: string) => !fileTimes.test(name) && !(name === 'st_size' && ofAnyLength.test(file));
  return Object.fromEntries(
    Object.entries(volumes).map(([volume, stat]) => [
      volume,
      Object.fromEntries(Object.entries(stat).filter(([name]) => kept(name))),
    ]),
  );
}

function nvra(rpm: JsonStruct): string {
  return `${String(rpm['nvr'])}.${String(rpm['arch'])}`;
}

function flatten(facts: Map<string, string>, path: string, value: Json): void {
  if (typeof value !== 'object' || value === null) {
    facts.set(path, typeof value === 'string' ? value : JSON.stringify(value));
    return;
  }
  const members = Object.entries(value);
  if (members.length === 0) facts.set(path, Array.isArray(value) ? '[]' : '{}');
  for (const [key, member] of members) flatten(facts, `${path}/${key}`, member);
}
