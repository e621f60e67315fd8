import { type Finding, fail, ok, warn } from './finding.ts';

const leastNodeMajor = 24;

/** The Node.js this runs in (`v24.1.0`). */
export function judgeNode(version: string): Finding {
  const major = Number(/^v?(\d+)/.exec(version)?.[1] ?? 0);
  if (major >= leastNodeMajor) return ok('Node.js', version);
  return fail(
    'Node.js',
    version,
    `install ${leastNodeMajor} or newer, or start bin/koji-adjutant, which brings its own`,
  );
}

/** What the operator's `accept` leaves of the work; nothing to say where it is empty. */
export function judgeAccept(
  rules: string,
  unknown: readonly string[],
  methods: readonly string[],
): readonly Finding[] {
  const what = 'accept';
  if (unknown.length > 0) {
    const remedy = `correct accept in adjutant.conf; the methods are ${methods.join(' ')}`;
    return [fail(what, `no task method is ${unknown.join(', ')}`, remedy)];
  }
  if (rules === '') return [];
  const remedy = "keep a builder in each of the host's channels that takes the rest";
  return [warn(what, `limited to ${rules}; all other tasks are refused for good`, remedy)];
}

/** A line of /etc/subuid or /etc/subgid; other lines are left out. */
interface IdRange {
  readonly owner: string;
  readonly count: number;
}

function parseIdRanges(text: string): readonly IdRange[] {
  return text.split('\n').flatMap((line) => {
    const [, owner, count] = /^([^:#]+):\d+:(\d+)\s*$/.exec(line) ?? [];
    return owner === undefined ? [] : [{ owner, count: Number(count) }];
  });
}

/** What user namespaces need: ids 0 to 65535 inside. */
const leastIds = 65_536;

/**
 * Subordinate ids, from the texts of /etc/subuid and /etc/subgid: a rootless engine has no other user ids
 * than these inside its containers.
 */
export function judgeSubordinateIds(
  user: { readonly name: string; readonly uid: number },
  files: { readonly subuid: string; readonly subgid: string },
): Finding {
  const count = (text: string) =>
    parseIdRanges(text)
      .filter(({ owner }) => owner === user.name || owner === String(user.uid))
      .reduce((sum, range) => sum + range.count, 0);
  const uids = count(files.subuid);
  const gids = count(files.subgid);
  const what = `subordinate ids of ${user.name}`;
  const found = `${uids} in /etc/subuid, ${gids} in /etc/subgid`;
  if (Math.min(uids, gids) >= leastIds) return ok(what, found);
  return fail(
    what,
    found,
    `builds need ${leastIds}: run "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user.name}" with a range that is not in use, then "podman system migrate"`,
  );
}

const mib = 2 ** 20;

/** Free space of a place that `minspace` guards. */
export function judgeSpace(name: string, path: string, freeBytes: number, minSpaceBytes: number): Finding {
  const what = `disk space of ${name}`;
  const found = `${Math.floor(freeBytes / mib)} MiB free at ${path}`;
  if (freeBytes >= minSpaceBytes) return ok(what, found);
  return fail(
    what,
    found,
    `no task is taken below minspace (${minSpaceBytes / mib} MiB): free some space, move it to a larger disk, or lower minspace`,
  );
}

/** `existing` is the directory itself, or the nearest one above it that is there; `stranger` says who else could replace it. */
export function judgeWorkDir(
  path: string,
  existing: { readonly path: string; readonly writable: boolean; readonly stranger: string | null },
): Finding {
  const isThere = existing.path === path;
  if (existing.stranger !== null)
    return fail(
      'workdir',
      existing.stranger,
      'let nobody but root and the user of the daemon write there, or name another directory with workdir',
    );
  if (existing.writable) return ok('workdir', isThere ? `${path} can be written` : `${path} will be made`);
  const remedy = "give it to the daemon's user, or name another one with workdir";
  return fail(
    'workdir',
    isThere ? `${path} cannot be written` : `${path} cannot be made in ${existing.path}`,
    remedy,
  );
}

/** The hub's file tree on this host. */
export function judgeTopDir(path: string, isThere: boolean): Finding {
  if (isThere) return ok('topdir', `${path} is there`);
  return warn(
    'topdir',
    `${path} is not there`,
    'newRepo and createrepo tasks fail on this host: mount the tree there, or keep the host out of channel createrepo',
  );
}

/** A directory with its mode, as `stat` gives it. */
export interface PathComponent {
  readonly path: string;
  readonly mode: number;
}

/**
 * What packages bring, setuid programs among it, lies in the layers of the engine's storage. `ways` has for each layer all
 * directories from `/` to its files: one of them has to keep other users out. Without layers there is nothing to find.
 */
export function judgeStorageReach(
  storagePath: string,
  ways: readonly (readonly PathComponent[])[],
): readonly Finding[] {
  const what = "engine's storage";
  if (ways.length === 0) return [];
  const open = ways.filter((way) => way.every(({ mode }) => (mode & 0o001) !== 0));
  if (open.length === 0)
    return [ok(what, `other users of this host cannot reach the ${ways.length} layers in ${storagePath}`)];
  return [
    fail(
      what,
      `every user of this host can reach setuid programs that a package has brought: ${open.length} of ${ways.length} layers are open, such as ${open[0]?.at(-1)?.path}`,
      `chmod 0700 ${storagePath}`,
    ),
  ];
}

const leastRunBytes = 2 ** 30;

/** Throw-away layers of containers lie in the engine's run directory, which is in memory on most hosts. */
export function judgeRunDirectory(path: string, isMemory: boolean, freeBytes: number): Finding {
  const what = "engine's run directory";
  const found = `${path}${isMemory ? ' (in memory)' : ''}, ${Math.floor(freeBytes / mib)} MiB free`;
  if (freeBytes >= leastRunBytes) return ok(what, found);
  return warn(
    what,
    found,
    'throw-away layers of containers lie there: enlarge it, or set runroot in storage.conf to a directory on disk',
  );
}
