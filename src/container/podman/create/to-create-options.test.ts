import { describe, expect, it } from 'vitest';
import type { ContainerSpec } from '../../spec.ts';
import { type CreateContext, toCreateOptions } from './to-create-options.ts';

const spec: ContainerSpec = {
  name: 'build-1',
  root: { kind: 'image', image: 'localhost/root:1' },
  command: ['/bin/bash', '/in/build.sh'],
  env: { HOME: '/builddir' },
  workdir: '/builddir',
  user: { uid: 1000, gid: 1001 },
  capabilities: [],
  isolation: 'plain',
  network: 'none',
  hostname: 'builder.example.com',
  mounts: [],
  limits: { pids: 4096 },
  owner: { workerId: 'builder.example.com', taskId: 12, phase: 'build', attempt: 2, buildrootId: 7 },
  labels: { site: 'lab', 'io.koji.adjutant.task_id': '1' },
};

const context: CreateContext = {
  root: { image: 'localhost/root:1' },
  mounts: [],
  overlayVolumes: [],
  masked: [],
  logPath: '/var/log/build-1.log',
  defaultUlimits: { nofile: { soft: 1024, hard: 2048 }, nproc: { soft: 9000, hard: 9000 } },
};

describe('toCreateOptions', () => {
  it('drops every capability and adds those of the spec', () => {
    const none = toCreateOptions(spec, context);
    const some = toCreateOptions({ ...spec, capabilities: ['CHOWN', 'SETUID'] }, context);

    expect(none).toMatchObject({ cap_drop: ['ALL'], cap_add: [], no_new_privileges: true });
    expect(some).toMatchObject({ cap_drop: ['ALL'], cap_add: ['CHOWN', 'SETUID'], no_new_privileges: true });
  });

  it('has no member that takes isolation away, whatever a spec carries along', () => {
    const smuggler = {
      ...spec,
      privileged: true,
      Privileged: true,
      pidns: { nsmode: 'host' },
      unmask: ['ALL'],
    };
    const options = toCreateOptions(smuggler, context);

    expect(Object.keys(options)).toEqual(Object.keys(toCreateOptions(spec, context)));
    expect(JSON.stringify(options)).not.toMatch(/privileged"|unmask|apparmor|selinux_opts/i);
    for (const namespace of ['pidns', 'ipcns', 'utsns'] as const)
      expect(options[namespace]).toEqual({ nsmode: 'private' });
  });

  it('opens the devices of a spec, and no others', () => {
    expect(toCreateOptions(spec, context)).not.toHaveProperty('devices');
    expect(toCreateOptions({ ...spec, devices: ['/dev/kvm'] }, context)).toMatchObject({
      devices: [{ path: '/dev/kvm' }],
      cap_add: [],
      no_new_privileges: true,
    });
  });

  it("filters with a spec's own seccomp profile, else with that of the engine", () => {
    const all = { ...context, seccompProfile: '/all.json' };

    expect(toCreateOptions(spec, all)).toHaveProperty('seccomp_profile_path', '/all.json');
    expect(toCreateOptions({ ...spec, seccompProfile: '/own.json' }, all)).toHaveProperty(
      'seccomp_profile_path',
      '/own.json',
    );
  });

  it('says all of its members, so that a new one is a decision', () => {
    expect(Object.keys(toCreateOptions(spec, context)).toSorted()).toMatchInlineSnapshot(`
      [
        "cap_add",
        "cap_drop",
        "command",
        "entrypoint",
        "env",
        "hostname",
        "httpproxy",
        "image",
        "image_volume_mode",
        "ipcns",
        "labels",
        "log_configuration",
        "manage_password",
        "mask",
        "mounts",
        "name",
        "netns",
        "no_new_privileges",
        "overlay_volumes",
        "pidns",
        "r_limits",
        "resource_limits",
        "restart_policy",
        "systemd",
        "umask",
        "unsetenvall",
        "use_image_hostname",
        "use_image_hosts",
        "use_image_resolve_conf",
        "user",
        "utsns",
        "work_dir",
      ]
    `);
  });

  it('uses the root of another container as a throw-away layer', () => {
    const options = toCreateOptions(spec, { ...context, root: { rootfs: '/storage/merged' } });

    expect(options).toMatchObject({ rootfs: '/storage/merged', rootfs_overlay: true });
    expect(options).not.toHaveProperty('image');
  });

  it('always limits nofile and nproc, by the spec before the defaults', () => {
    const ulimits = { nofile: { soft: 5, hard: 6 }, core: { soft: 0, hard: 0 } };
    const options = toCreateOptions({ ...spec, limits: { pids: 1, ulimits } }, context);

    expect(options.r_limits).toEqual([
      { type: 'nofile', soft: 5, hard: 6 },
      { type: 'nproc', soft: 9000, hard: 9000 },
      { type: 'core', soft: 0, hard: 0 },
    ]);
  });

  it('passes an unlimited limit on as the largest number there is', () => {
    const ulimits = { core: { soft: 0, hard: -1 } };
    const { r_limits } = toCreateOptions({ ...spec, limits: { pids: 1, ulimits } }, context);

    expect(JSON.stringify(r_limits.at(-1))).toBe('{"type":"core","soft":0,"hard":18446744073709551615}');
  });

  it('lets programs run from /dev/shm, of the size that the spec says', () => {
    const { mounts } = toCreateOptions({ ...spec, limits: { pids: 1, shmBytes: 4096 } }, context);

    expect(mounts).toEqual([
      {
        type: 'tmpfs',
        source: 'shm',
        destination: '/dev/shm',
        options: ['rw', 'nosuid', 'nodev', 'exec', 'mode=1777', 'notmpcopyup', 'size=4096'],
      },
    ]);
    expect(toCreateOptions(spec, context).mounts).toEqual([]);
  });

  it('counts swap as memory and turns processors into a quota', () => {
    const limits = { pids: 10, memoryBytes: 1 << 30, cpus: 1.5 };
    const options = toCreateOptions({ ...spec, limits }, context);

    expect(options.resource_limits).toEqual({
      pids: { limit: 10 },
      memory: { limit: 1 << 30, swap: 1 << 30 },
      cpu: { quota: 150_000, period: 100_000 },
    });
  });

  it("labels the container with its owner, which an operator's label cannot change", () => {
    expect(toCreateOptions(spec, context).labels).toEqual({
      site: 'lab',
      'io.koji.adjutant.worker_id': 'builder.example.com',
      'io.koji.adjutant.task_id': '12',
      'io.koji.adjutant.phase': 'build',
      'io.koji.adjutant.attempt': '2',
      'io.koji.adjutant.buildroot_id': '7',
    });
  });

  it.each([
    ['none', true],
    ['host', false],
  ] as const)(
    'with network %s, leaves /etc/hosts and /etc/resolv.conf to the root: %s',
    (network, isRoots) => {
      const options = toCreateOptions({ ...spec, network }, context);

      expect(options).toMatchObject({
        netns: { nsmode: network },
        use_image_hosts: isRoots,
        use_image_resolve_conf: isRoots,
      });
    },
  );

  it('takes no environment but that of the spec', () => {
    expect(toCreateOptions(spec, context)).toMatchObject({ env: { HOME: '/builddir' }, unsetenvall: true });
  });

  it('runs the command as it is, as the numeric user, in its directory', () => {
    expect(toCreateOptions(spec, { ...context, seccompProfile: '/etc/seccomp.json' })).toMatchObject({
      entrypoint: ['/bin/bash', '/in/build.sh'],
      command: [],
      user: '1000:1001',
      work_dir: '/builddir',
      env: { HOME: '/builddir' },
      hostname: 'builder.example.com',
      seccomp_profile_path: '/etc/seccomp.json',
    });
  });

  it('names the level of SELinux and keeps it as a label, where there is one', () => {
    const labelled = toCreateOptions(spec, { ...context, selinuxLevel: 's0:c1,c2' });

    expect(labelled.selinux_opts).toEqual(['level:s0:c1,c2']);
    expect(labelled.labels['io.koji.adjutant.selinux_level']).toBe('s0:c1,c2');
    const plain = toCreateOptions(spec, context);
    expect(plain).not.toHaveProperty('selinux_opts');
    expect(plain.labels).not.toHaveProperty('io.koji.adjutant.selinux_level');
  });
});
