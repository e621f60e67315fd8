import { posix } from 'node:path';
import { ContainerError } from './errors.ts';
import type { ContainerSpec, Isolation, Mount } from './spec.ts';

const known = { plain: true } as const satisfies Record<Isolation, true>;

/**
 * Refuses what no back end can run, with `bad-spec` and a message that names the container and the
 * member, and an isolation that is not among `isolations`, those of the back end. Pure: whether sources and images exist is
 * for the back end to find out.
 */
export function checkSpec(spec: ContainerSpec, isolations: readonly Isolation[]): void {
  const refuse = (why: string): never => {
    throw new ContainerError('bad-spec', `container ${JSON.stringify(spec.name)}: ${why}`);
  };
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$/.test(spec.name))
    refuse('the name has to match [a-zA-Z0-9][a-zA-Z0-9_.-]*');
  if (!Object.hasOwn(known, spec.isolation))
    refuse(`isolation ${JSON.stringify(spec.isolation)} has to be one of ${Object.keys(known).join(', ')}`);
  if (!isolations.includes(spec.isolation))
    refuse(`this back end has no isolation ${spec.isolation}; it has ${isolations.join(', ') || 'none'}`);
  const [program] = spec.command;
  if (program === undefined || !isPlain(program)) refuse('the command has to begin with an absolute path');
  if (!isPlain(spec.workdir)) refuse(`workdir ${JSON.stringify(spec.workdir)} has to be an absolute path`);
  for (const id of [spec.user.uid, spec.user.gid]) {
    if (!Number.isInteger(id) || id < 0)
      refuse(`user ${spec.user.uid}:${spec.user.gid} has to be two whole numbers`);
  }
  if (!Number.isInteger(spec.limits.pids) || spec.limits.pids < 1) refuse('limits.pids has to be at least 1');
  for (const path of spec.root.kind === 'visit' ? spec.root.stays : []) {
    if (!isPlain(path) || path === '/')
      refuse(`directory ${JSON.stringify(path)} has to be an absolute path below /`);
  }
  for (const path of spec.devices ?? []) {
    if (!isPlain(path) || !path.startsWith('/dev/'))
      refuse(`device ${JSON.stringify(path)} has to be a path below /dev`);
  }
  const targets = new Set<string>();
  for (const mount of spec.mounts) {
    const { target } = mount;
    if (!isPlain(target) || target === '/')
      refuse(`mount target ${JSON.stringify(target)} has to be an absolute path below /`);
    if (targets.has(target)) refuse(`two mounts have the target ${target}`);
    targets.add(target);
    const problem = problemOfSource(mount);
    if (problem !== undefined) refuse(`mount on ${target}: ${problem}`);
  }
}

function problemOfSource(mount: Mount): string | undefined {
  switch (mount.kind) {
    case 'work':
    case 'koji':
      return isBelow(mount.path)
        ? undefined
        : `path ${JSON.stringify(mount.path)} has to be relative and without ".."`;
    case 'host':
      return isPlain(mount.source)
        ? undefined
        : `source ${JSON.stringify(mount.source)} has to be an absolute path`;
    case 'kernel':
    case 'root':
    case 'scratch':
      return undefined;
  }
}

/** An absolute path in its shortest form: no `..`, no `//`, no NUL. */
function isPlain(path: string): boolean {
  return posix.isAbsolute(path) && posix.resolve(path) === path && !path.includes('\0');
}

function isBelow(path: string): boolean {
  return path === '' || path === '.' || (isPlain(`/${path}`) && !posix.isAbsolute(path));
}
