import { dirname, join, relative, sep } from 'node:path';

const lower = ['core', 'hub', 'config', 'container', 'rpm'];
const middle = [...lower, 'journal', 'cache', 'logs', 'upload', 'policy', 'buildroot'];

/**
 * Who may import whom in `src`: each area with what it may import besides itself. An area is a folder, or a
 * file with a rule of its own, and includes what lies below it. `tasks/*` stands for each task's folder. The
 * files in `src` itself, in `assembly` and in `commands` put the parts together: they import all, and nobody
 * imports them.
 */
const mayImport: ReadonlyMap<string, readonly string[]> = new Map([
  ['core', []],
  ['journal', ['core']],
  ['cache', ['core', 'container']],
  ['hub/xmlrpc', ['core', 'hub/faults.ts']],
  ['hub', ['core']],
  ['config', ['core']],
  ['container', ['core']],
  ['container/podman', ['core', 'container']],
  ['container/fake', ['core', 'container']],
  ['rpm', ['core']],
  ['logs', ['core']],
  ['upload', lower],
  ['policy', lower],
  ['buildroot', [...lower, 'journal', 'cache', 'logs', 'policy']],
  ['tasks', middle],
  ['tasks/*', [...middle, 'tasks']],
  ['tasks/registry.ts', ['tasks', 'tasks/*']],
  ['daemon', [...middle, 'tasks', 'tasks/registry.ts']],
  ['monitoring', ['core', 'cache', 'daemon']],
  ['devhub', ['core', 'hub/xmlrpc', 'hub/api/schema.ts', 'hub/faults.ts', 'rpm']],
  ['doctor', [...lower, 'buildroot', 'standalone']],
  ['standalone', [...middle, 'terminal']],
  ['terminal', ['core']],
  ['demo', ['core', 'devhub', 'hub/faults.ts', 'rpm/arch.ts', 'terminal']],
]);

/** Folders that put the parts together. */
const together = /^(?:assembly|commands)\//;

/** Areas that the folder around them does not include: they are imported by name or not at all. */
const apart: ReadonlySet<string> = new Set([
  'container/podman',
  'container/fake',
  'tasks/*',
  'tasks/registry.ts',
]);

/** Packages that belong to one area. */
const ownerOf: ReadonlyMap<string, string> = new Map([['dockerode', 'container/podman']]);

/** What is wrong when the file `from`, a path relative to `src`, imports this; null when nothing is. */
export function importProblem(from: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return packageProblemOf(from, specifier);
  return problemOf(from, toPath('/src', join('/src', dirname(from), specifier)));
}

/** Path of a file relative to a directory, with slashes. */
export function toPath(source: string, file: string): string {
  return relative(source, file).split(sep).join('/');
}

/** What is wrong with an import, or null. Paths are relative to `src`. */
function problemOf(from: string, to: string): string | null {
  if (!from.includes('/') || together.test(from)) return null;
  const area = areaOf(from);
  if (area === undefined) return `${from} is in no area; add its folder to scripts/lint/import-boundaries.ts`;
  if (area === 'tasks/*' && taskFolder(from) === taskFolder(to)) return null;
  const allowed = [...(mayImport.get(area) ?? []), ...(area === 'tasks/*' ? [] : [area])];
  const target = areaOf(to);
  const isAllowed =
    target !== undefined && apart.has(target)
      ? allowed.includes(target)
      : allowed.some((name) => isWithin(to, name));
  return isAllowed ? null : `${area} must not import ${to}; see scripts/lint/import-boundaries.ts`;
}

function packageProblemOf(from: string, name: string): string | null {
  const owner = ownerOf.get(name);
  return owner === undefined || areaOf(from) === owner ? null : `only ${owner} may import ${name}`;
}

/** The area with the longest name that a file belongs to. */
function areaOf(path: string): string | undefined {
  const found = [...mayImport.keys()].filter((name) => isWithin(path, name));
  return found.toSorted((a, b) => b.length - a.length)[0];
}

function isWithin(path: string, area: string): boolean {
  if (area === 'tasks/*') return path.startsWith('tasks/') && path.split('/').length > 2;
  return path === area || path.startsWith(`${area}/`);
}

function taskFolder(path: string): string {
  return path.split('/').slice(0, 2).join('/');
}
