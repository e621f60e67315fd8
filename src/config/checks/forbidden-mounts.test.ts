import { describe, expect, it } from 'vitest';
import { closedPlaces, whyNotShown } from './forbidden-mounts.ts';

const settings = {
  kojid: {
    topdir: '/mnt/koji',
    workdir: '/var/tmp/koji',
    cert: null,
    keytab: '/srv/kojid.keytab',
    ccache: null,
  },
  adjutant: { state_dir: '/srv/adjutant', podman_socket: null },
};
const env = { HOME: '/home/builder', XDG_RUNTIME_DIR: '/run/user/7', XDG_DATA_HOME: '/data/builder' };
const why = (path: string) => whyNotShown(path, closedPlaces(settings, ['/srv/kojid.conf'], env));

describe('no build is shown', () => {
  it.each([
    '/home/builder/.local/share/containers',
    '/home/builder/.local/share/containers/storage/overlay',
    '/home/builder/.local/state/koji-adjutant',
    '/home/builder',
    '/data/builder/containers',
    '/run/user/7/podman/podman.sock',
    '/run/user/1000/bus',
    '/var/lib/containers/storage',
  ])("the engine's storage and sockets, rootless ones too: %s", (path) => {
    expect(why(path)).toMatch(/^would show builds the container engine \(/);
  });

  it.each(['/run/systemd/private', '/var/run/dbus/system_bus_socket', '/run/udev/control'])(
    'what controls this host: %s',
    (path) => {
      expect(why(path)).toMatch(/^would show builds what controls this host/);
    },
  );

  it.each([
    '/root/.ssh',
    '/root',
    '/home/builder/.ssh/id_ed25519',
    '/etc/shadow',
    '/etc/ssh',
    '/srv/kojid.keytab',
    '/srv/kojid.conf',
  ])('keys, passwords and configuration: %s', (path) => {
    expect(why(path)).toMatch(/^would show builds /);
  });
});

it('other places, and parts of topdir, may be shown', () => {
  for (const path of ['/usr/share/licenses', '/home/builder/sources', '/srv/signing', '/mnt/koji/repos'])
    expect(why(path)).toBeNull();
});

it('closes nothing by variables that are not set', () => {
  const places = closedPlaces(settings, [], {});
  expect(places.map(({ path }) => path)).not.toContain('/containers');
  expect(whyNotShown('/.ssh', places)).toBeNull();
});
