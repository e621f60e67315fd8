import { dirname, join, relative, sep } from 'node:path';

/**
 * Who may import whom in `src`; an import of types counts like any other. An area is a folder without the folders in it,
 * or a file with a row of its own; `tasks/<method>` stands for the folder of each task method and all below it. A row
 * names what an area may import besides itself: areas, files, or with `/**` an area and all areas in its folder. What
 * has no row is an error.
 */
const rows: readonly (readonly [area: string, names: string])[] = [
  // Entry: a file per command, and what they put together.
  ['cli.ts', 'commands/** config core'],
  [
    'commands',
    'assembly buildroot/** cache config/** container core daemon doctor hub rpm standalone/** ' +
      'tasks/registry.ts terminal',
  ],
  ['commands/devhub.ts', 'commands config core devhub'],
  [
    'assembly',
    'buildroot/host.ts cache config/** container container/podman/** core daemon/** ' +
      'doctor/trial-build hub/** journal monitoring policy rpm tasks tasks/registry.ts',
  ],
  // The daemon. Intake decides on tasks and knows nothing of running ones.
  [
    'daemon',
    'cache config/options core daemon/events.ts daemon/intake daemon/recovery daemon/run hub hub/api ' +
      'hub/session journal tasks tasks/registry.ts',
  ],
  ['daemon/events.ts', ''],
  ['daemon/intake', 'cache config/options container core daemon/events.ts hub/api hub/faults.ts tasks'],
  [
    'daemon/run',
    'buildroot/host.ts config container core daemon/events.ts hub/** journal logs policy steps ' +
      'tasks upload',
  ],
  ['daemon/recovery', 'cache container core daemon/run hub/api hub/session journal tasks'],
  ['monitoring', 'cache core daemon/events.ts'],
  // Tasks: a folder for each method, and none knows another.
  [
    'tasks',
    'buildroot/host.ts config/schema.ts container core hub hub/api hub/xmlrpc journal logs policy ' +
      'rpm steps upload',
  ],
  ['tasks/<method>', 'buildroot/** container core hub hub/api hub/xmlrpc rpm steps tasks'],
  ['tasks/registry.ts', 'tasks tasks/<method>'],
  // Builds without a task, and what looks at a host.
  ['standalone', 'buildroot/** core journal logs'],
  ['standalone/rebuild', 'buildroot/** cache core policy standalone terminal'],
  ['standalone/compare', 'buildroot/** core hub/** policy rpm standalone'],
  ['doctor', 'buildroot/** config config/options container core doctor/trial-build hub/** rpm'],
  ['doctor/trial-build', 'buildroot/** container core doctor rpm standalone/**'],
  // Buildroots: plan <- steps <- solve <- root <- rpmbuild; report <- root.
  ['buildroot', 'buildroot/** config container core hub hub/api journal logs policy rpm steps'],
  ['buildroot/errors.ts', 'core'],
  ['buildroot/plan', 'buildroot/errors.ts config config/checks container/spec.ts core policy rpm'],
  ['buildroot/host.ts', 'buildroot/plan cache container core'],
  [
    'buildroot/steps',
    'buildroot/errors.ts buildroot/host.ts buildroot/plan container core journal logs steps',
  ],
  ['buildroot/solve', 'buildroot/errors.ts buildroot/plan buildroot/steps cache container core'],
  [
    'buildroot/root',
    'buildroot/errors.ts buildroot/plan buildroot/solve buildroot/steps cache container core',
  ],
  [
    'buildroot/rpmbuild',
    'buildroot/errors.ts buildroot/plan buildroot/root buildroot/steps container core rpm',
  ],
  ['buildroot/report', 'buildroot/errors.ts buildroot/root core hub hub/api rpm'],
  // How one container of a task runs, whatever the task.
  ['steps', 'container core journal'],
  // What is kept, sent and decided.
  ['cache', 'container core'],
  ['journal', 'core'],
  ['logs', 'core'],
  ['upload', 'core hub hub/session'],
  ['policy', 'config/options container/spec.ts core rpm'],
  ['rpm', 'core'],
  // The container port, and the engine behind it.
  ['container', 'core'],
  [
    'container/podman',
    'container container/podman/api container/podman/create container/podman/limits ' +
      'container/podman/output core',
  ],
  ['container/podman/api', 'container core'],
  ['container/podman/create', 'container container/podman/api core'],
  ['container/podman/output', 'container core'],
  ['container/podman/limits', 'container container/podman/api container/podman/output core'],
  ['container/fake', 'container core'],
  // The hub: xmlrpc <- transport <- auth <- session <- api.
  ['hub', 'core hub/api/schema.ts'],
  ['hub/xmlrpc', 'hub/faults.ts'],
  ['hub/transport', 'core hub/faults.ts hub/xmlrpc'],
  ['hub/auth', 'core hub/faults.ts hub/transport hub/xmlrpc'],
  ['hub/session', 'core hub/auth hub/faults.ts hub/transport hub/xmlrpc'],
  ['hub/api', 'core hub/faults.ts hub/session hub/xmlrpc'],
  // The configuration.
  ['config', 'config/checks config/format config/options core'],
  ['config/checks', 'config config/format'],
  ['config/format', 'config/checks/suggestion.ts config/problem.ts core'],
  ['config/options', 'config/checks/suggestion.ts config/format core'],
  ['config/options/reference.ts', 'config config/options'],
  ['config/options/reference-cli.ts', 'config/options/reference.ts'],
  // For development only, and what both draw with.
  ['devhub', 'core hub/faults.ts hub/xmlrpc rpm'],
  ['demo', 'core devhub hub/faults.ts rpm/arch.ts terminal'],
  ['terminal', 'core/printable.ts'],
  ['core', ''],
];

/** The rows by area: what each may import besides itself. */
export const mayImport: ReadonlyMap<string, readonly string[]> = new Map(
  rows.map(([area, names]) => [area, names.split(' ').filter((name) => name !== '')]),
);

/** Packages that few files may import, and which those are: paths that begin so. */
const ownersOf: readonly (readonly [name: RegExp, owners: readonly string[]])[] = [
  [/^dockerode$/, ['container/podman/']],
  [/^commander$/, ['commands/', 'config/command-line.ts']],
];

/** What does no input or output: it imports nothing of Node.js. */
const pure = { folder: 'buildroot/plan', but: ['buildroot/plan/site-rules.ts'] } as const;

/** Names that few files may import, and which those are: paths that begin so. */
const namesOf: readonly (readonly [file: string, name: string, owners: readonly string[]])[] = [
  ['core/clock.ts', 'systemClock', ['assembly/', 'cli.ts', 'demo/main.ts']],
];

/**
 * What is wrong when the file `from`, a path relative to `src`, imports these names; null when nothing is. Without names:
 * all that there is.
 */
export function importProblem(from: string, specifier: string, names: readonly string[] = []): string | null {
  if (!specifier.startsWith('.')) return packageProblemOf(from, specifier);
  const to = toPath('/src', join('/src', dirname(from), specifier));
  return problemOf(from, to) ?? nameProblemOf(from, to, names);
}

/** Path of a file relative to a directory, with slashes. */
export function toPath(source: string, file: string): string {
  return relative(source, file).split(sep).join('/');
}

/** The area of a file, a path relative to `src`; null where it has none. */
export function areaOf(path: string): string | null {
  const parts = path.split('/');
  if (mayImport.has(path)) return path;
  if (parts[0] === 'tasks' && parts.length > 2) return 'tasks/<method>';
  const folder = parts.slice(0, -1).join('/');
  return mayImport.has(folder) ? folder : null;
}

const seeHere = 'see scripts/lint/import-boundaries.ts';

/** What is wrong with an import, or null. Paths are relative to `src`. */
function problemOf(from: string, to: string): string | null {
  const area = areaOf(from);
  if (area === null) return `${from} is in no area; add its folder to scripts/lint/import-boundaries.ts`;
  const target = areaOf(to);
  const isOwn =
    area === 'tasks/<method>' && target === area ? taskFolder(from) === taskFolder(to) : target === area;
  const isAllowed = isOwn || (mayImport.get(area) ?? []).some((name) => isMeant(name, to, target));
  return isAllowed ? null : `${area} must not import ${to}; ${seeHere}`;
}

/** Whether an entry of a row means this file of that area. */
function isMeant(name: string, to: string, area: string | null): boolean {
  if (!name.endsWith('/**')) return name === area || name === to;
  const folder = name.slice(0, -'/**'.length);
  return area !== null && (area === folder || area.startsWith(`${folder}/`));
}

function nameProblemOf(from: string, to: string, names: readonly string[]): string | null {
  for (const [file, name, owners] of namesOf)
    if (to === file && names.includes(name) && !owners.some((owner) => from.startsWith(owner)))
      return `only ${owners.join(', ')} may import ${name}; ${seeHere}`;
  return null;
}

function packageProblemOf(from: string, name: string): string | null {
  const owners = ownersOf.find(([pattern]) => pattern.test(name))?.[1];
  if (owners !== undefined && !owners.some((owner) => from.startsWith(owner)))
    return `only ${owners.join(', ')} may import ${name}; ${seeHere}`;
  const isPure = areaOf(from) === pure.folder && !pure.but.some((file) => file === from);
  return isPure && name.startsWith('node:') ? `${pure.folder} must not import ${name}; ${seeHere}` : null;
}

function taskFolder(path: string): string {
  return path.split('/').slice(0, 2).join('/');
}
