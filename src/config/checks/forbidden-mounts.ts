/** A place of this host that no build may see. */
export interface ForbiddenPath {
  readonly path: string;
  /** What is there, for people. */
  readonly what: string;
  /** Parts of it may be shown. */
  readonly inParts?: true;
}

/** What no mount of a site file may show: with it a build can leave the container, or be this host to the hub. */
export function closedPlaces(
  {
    kojid,
    adjutant,
  }: {
    readonly kojid: Readonly<
      Record<'topdir' | 'workdir', string> & Record<'cert' | 'keytab' | 'ccache', string | null>
    >;
    readonly adjutant: { readonly state_dir: string; readonly podman_socket: string | null };
  },
  configFiles: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): readonly ForbiddenPath[] {
  const engine = 'the container engine';
  const login = 'what this host logs in with';
  const keys = 'keys and passwords of this host';
  const control = 'what controls this host';
  const home = env['HOME'] ?? '';
  const inHome = (path: string) => (home === '' ? '' : `${home}/${path}`);
  const places: ForbiddenPath[] = [
    ...['/proc', '/sys'].map((path) => ({ path, what: 'the kernel of this host' })),
    { path: '/dev', what: 'devices, which belong under "devices"' },
    { path: adjutant.state_dir, what: 'the files of this daemon and of other tasks' },
    { path: kojid.workdir, what: 'the files of this daemon and of other tasks' },
    { path: kojid.topdir, what: "the hub's whole file tree", inParts: true },
    ...['/etc/kojid', ...configFiles].map((path) => ({ path, what: 'the configuration of this daemon' })),
    ...[kojid.cert, kojid.keytab, kojid.ccache].map((path) => ({ path: path ?? '', what: login })),
    ...[
      '/run/podman',
      '/run/koji-adjutant',
      '/run/docker.sock',
      '/var/lib/koji-adjutant',
      '/var/lib/containers',
    ].map((path) => ({ path, what: engine })),
    ...[
      adjutant.podman_socket,
      env['CONTAINER_HOST']?.replace(/^unix:\/\//, ''),
      env['KOJI_ADJUTANT_STATE'],
    ].map((path) => ({ path: path ?? '', what: engine })),
    // A rootless engine has its storage, its configuration and its socket in these.
    ...[
      inHome('.local/share/containers'),
      inHome('.local/state/koji-adjutant'),
      inHome('.config/containers'),
      env['XDG_DATA_HOME'] && `${env['XDG_DATA_HOME']}/containers`,
      env['XDG_RUNTIME_DIR'],
      '/run/user',
      '/run/containers',
    ].map((path) => ({ path: path ?? '', what: engine })),
    ...['/run/systemd', '/run/dbus', '/run/udev'].map((path) => ({ path, what: control })),
    ...['/etc/shadow', '/etc/gshadow', '/etc/ssh', '/root/.ssh', inHome('.ssh'), inHome('.gnupg')].map(
      (path) => ({
        path,
        what: keys,
      }),
    ),
  ];
  return places.filter(({ path }) => path.startsWith('/'));
}

/** Why a path of this host may not be shown to a build, as the end of a sentence, or null. No links are followed. */
export function whyNotShown(source: string, closed: readonly ForbiddenPath[]): string | null {
  // What distributions have made a link.
  const path = source.replace(/^\/var\/run(?=\/|$)/, '/run');
  if (path === '/') return 'is this whole host; name the directory that is needed';
  const found = closed.find(
    (place) => isWithin(place.path, path) || (place.inParts !== true && isWithin(path, place.path)),
  );
  return found === undefined
    ? null
    : `would show builds ${found.what} (${found.path}); builds may not see it`;
}

const results = ['/builddir/build/RPMS', '/builddir/build/SRPMS'];

/** Why nothing may be mounted there inside a build, as an error message, or null. */
export function whyNoTarget(target: string): string | null {
  if (target === '/' || ['/proc', '/sys', '/dev', '/adjutant'].some((path) => isWithin(target, path)))
    return 'must be a path of the buildroot that is not /, and not in /proc, /sys, /dev or /adjutant';
  return results.some((path) => isWithin(path, target) || isWithin(target, path))
    ? 'must not hide the results of the build: they are read from the container when it has ended'
    : null;
}

/** Whether `path` is `place` or lies below it. */
function isWithin(path: string, place: string): boolean {
  return path === place || path.startsWith(place.endsWith('/') ? place : `${place}/`);
}
