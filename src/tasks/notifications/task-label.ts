import { z } from 'zod';
import { isStruct, type RpcValue } from '../../hub/xmlrpc/codec.ts';
import { TaskFault } from '../errors.ts';
import { decodeParams, optional, type TaskSignature } from '../params.ts';

/** What a label says of a task: its parameters, read as far as the label needs them. */
type Label = (method: string, request: readonly RpcValue[]) => string;

function label<P>(names: string, schema: z.ZodType<P>, text: (params: P) => string): Label {
  const signature: TaskSignature<P> = { names: names.split(' '), rest: true, schema };
  return (method, request) => text(decodeParams(method, signature, request));
}

const Any = z.custom<RpcValue>((value) => value !== undefined);
/** What has its own name, or stands for itself. */
const Name = Any.transform((value) =>
  isStruct(value) && typeof value['name'] === 'string' ? value['name'] : toPythonText(value),
);
const Text = Any.transform(toPythonText);
const Package = z.looseObject({ version: Text, release: Text });
const NamedPackage = Package.extend({ name: z.string(), package_name: optional(z.string()) });

const source = label('url build_tag opts', z.object({ url: z.string() }), ({ url }) => describeSource(url));
const tag = label('tag', z.object({ tag: Name }), (params) => params.tag);
const chain = label('builds target opts', z.object({ target: Any.nullable() }), ({ target }) =>
  target === null ? '' : Name.parse(target),
);
const image = label(
  'name version arch target ksfile opts',
  z.object({ name: Text, version: Text, arch: Text, ksfile: Text }),
  ({ name, version, arch, ksfile }) => `${arch}, ${name}-${version}, ${ksfile}`,
);
const imageOfArch = label(
  'name version release arch target_info build_tag repo_info ksfile opts',
  z.object({ name: Text, version: Text, release: Text, arch: Text, target_info: Name, ksfile: Text }),
  (params) => {
    const { name, version, release, arch, target_info: target, ksfile } = params;
    return `${target}, ${name}-${version}-${release}, ${ksfile}, ${arch}`;
  },
);

/**
 * Every method whose label tells more than its arch, also those that only other builders run: a mail lists
 * whatever tasks a build has.
 */
const labels: ReadonlyMap<string, Label> = new Map([
  [
    'build',
    label('src target opts', z.object({ src: z.string(), target: Name }), (params) => {
      const { src, target } = params;
      return `${target}, ${src.includes('://') ? describeSource(src) : baseName(src)}`;
    }),
  ],
  [
    'maven',
    label('url target opts', z.object({ url: z.string(), target: Name }), ({ url, target }) => {
      return `${target}, ${url.includes('://') ? describeSource(url) : baseName(url)}`;
    }),
  ],
  ['buildSRPMFromSCM', source],
  [
    'buildArch',
    label(
      'pkg root arch keep_srpm opts',
      z.object({ pkg: Name, root: Any, arch: Text, keep_srpm: Any }),
      ({ pkg, arch }) => `${baseName(pkg)}, ${arch}`,
    ),
  ],
  ['buildMaven', label('url build_tag opts', z.object({ build_tag: Name }), (params) => params.build_tag)],
  [
    'wrapperRPM',
    label(
      'spec_url build_target build task opts',
      z.object({ build_target: Name, build: NamedPackage.nullable() }),
      ({ build_target: target, build }) =>
        build === null
          ? target
          : `${target}, ${build.package_name ?? build.name}-${build.version}-${build.release}`,
    ),
  ],
  [
    'winbuild',
    label(
      'name source_url target opts',
      z.object({ source_url: z.string(), target: Name }),
      ({ source_url: url, target }) => `${target}, ${describeSource(url)}`,
    ),
  ],
  ['vmExec', label('name task_info opts', z.object({ name: Text }), ({ name }) => name)],
  [
    'buildNotification',
    label('recipients build target weburl', z.object({ build: NamedPackage }), ({ build }) => {
      return `${build.package_name ?? build.name}-${build.version}-${build.release}`;
    }),
  ],
  ['newRepo', tag],
  ['distRepo', tag],
  ['createrepo', label('repo_id arch oldrepo', z.object({ arch: Text }), ({ arch }) => arch)],
  [
    'createdistrepo',
    label(
      'tag repo_id arch keys opts',
      z.object({ repo_id: Text, arch: Text }),
      ({ repo_id: repo, arch }) => `${repo}, ${arch}`,
    ),
  ],
  [
    'dependantTask',
    label(
      'wait_list task_list',
      z.object({ task_list: z.array(z.array(Any).transform(([method = null]) => toPythonText(method))) }),
      (params) => params.task_list.join(', '),
    ),
  ],
  ['chainbuild', chain],
  ['chainmaven', chain],
  [
    'waitrepo',
    label(
      'tag newer_than nvrs min_event',
      z.object({ tag: Name, nvrs: optional(z.array(z.string())) }),
      ({ tag: name, nvrs }) => (nvrs === null ? name : `${name}, ${nvrs.join(', ')}`),
    ),
  ],
  ...['livecd', 'appliance', 'image', 'livemedia'].map((method) => [method, image] as const),
  ...['createLiveCD', 'createAppliance', 'createImage', 'createLiveMedia'].map(
    (method) => [method, imageOfArch] as const,
  ),
  [
    'indirectionimage',
    label(
      'opts',
      z.object({ opts: Package.extend({ name: Text }) }),
      ({ opts: { name, version, release } }) => `${name}, ${version}, ${release}`,
    ),
  ],
  ['restart', label('host', z.object({ host: Name }), ({ host }) => host)],
  ['restartVerify', label('task_id host', z.object({ host: Name }), ({ host }) => host)],
]);

/** What Koji's tools call a task: `buildArch (hello-1.0-1.src.rpm, x86_64)` (`koji/__init__.py taskLabel`). */
export function taskLabel(task: {
  readonly method: string;
  readonly arch: string;
  readonly request: readonly RpcValue[] | null;
}): string {
  const { method, arch, request } = task;
  let text: string | undefined;
  try {
    text = labels.get(method)?.(method, request ?? []);
  } catch (error) {
    if (!(error instanceof TaskFault)) throw error;
    return `${method} (${arch}, unknown args)`;
  }
  return `${method} (${text || arch})`;
}

/** Where a source lies, without its server: `/rpms/hello:REVISION`, or `/repository:MODULE:REVISION`. */
function describeSource(url: string): string {
  const query = url.indexOf('?');
  const fragment = url.indexOf('#');
  const path = url.slice(url.indexOf('/', url.indexOf('://') + 3), query === -1 ? fragment : query);
  const module = query === -1 ? '' : url.slice(query + 1, fragment);
  return [path, ...(module === '' ? [] : [module]), url.slice(fragment + 1)].join(':');
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A value as Python prints it. */
function toPythonText(value: RpcValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (!Array.isArray(value)) return String(value);
  return `[${value.map((one: RpcValue) => (typeof one === 'string' ? `'${one}'` : toPythonText(one))).join(', ')}]`;
}
