import { describe, expect, it } from 'vitest';
import { type MemoryEntry, memoryFiles } from '../../test/support/memory-files.ts';
import { type LoadRequest, loadConfig } from './load.ts';
import { ConfigError, formatProblem } from './problem.ts';
import type { Config } from './schema.ts';

const KOJID = '/etc/kojid/kojid.conf';
const ADJUTANT = '/etc/kojid/adjutant.conf';
const needed = 'server = https://hub/kojihub\ntopurl = https://hub/kojifiles\nuser = b1\npassword = pw\n';

interface Given extends Omit<LoadRequest, 'env' | 'files'> {
  readonly kojid?: string;
  readonly adjutant?: string;
  readonly env?: Record<string, string>;
  readonly files?: Record<string, MemoryEntry>;
}

function load({ kojid = '', adjutant, env = {}, files = {}, ...request }: Given): Config {
  const entries: Record<string, MemoryEntry> = {
    '/mnt/koji': null,
    [KOJID]: `[kojid]\n${needed}${kojid}`,
    ...(adjutant === undefined ? {} : { [ADJUTANT]: `[adjutant]\n${adjutant}` }),
    ...files,
  };
  return loadConfig({ ...request, env, files: memoryFiles(entries) });
}

/** The problems, formatted; fails when there are none. */
function problems(given: Given): readonly string[] {
  try {
    load(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(formatProblem);
    throw error;
  }
  throw new Error('the configuration was accepted');
}

function warnings(given: Given): readonly string[] {
  return load(given).warnings.map(formatProblem);
}

describe('loadConfig', () => {
  it("has kojid's defaults where the files say nothing", () => {
    const { kojid, adjutant } = load({});

    expect(kojid).toMatchObject({
      sleeptime: 15,
      maxjobs: 10,
      minspace: 8192,
      topdir: '/mnt/koji',
      workdir: '/var/lib/koji-adjutant',
      max_retries: 120,
      retry_interval: 60,
      offline_retry: true,
      offline_retry_interval: 120,
      timeout: null,
      no_ssl_verify: false,
      createrepo_update: true,
      rpmbuild_timeout: 86_400,
      vendor: 'Koji',
      mockhost: 'koji-linux-gnu',
      cert: null,
      build_arch_can_fail: false,
      pluginpath: ['/usr/lib/koji-builder-plugins'],
      plugin: [],
    });
    expect(adjutant).toEqual({
      podman_socket: null,
      site_file: null,
      failed_buildroot_budget: null,
      state_dir: '/var/lib/koji-adjutant/adjutant',
      accept: { methods: null, tags: null, scratch: null },
      assign_children: 'auto',
      task_image_default: 'localhost/koji-adjutant-bootstrap:<arch>',
      image_pull_policy: 'if-not-present',
      policy_enabled: true,
      policy_cache_ttl: 300,
      buildroot_enabled: true,
      network_enabled: false,
      container_mounts: [],
      container_labels: {},
      container_timeouts: { pullMs: 300_000, startMs: 60_000 },
      snapshot_budget: null,
      package_budget: null,
      build_disk: null,
      build_log_limit: 2 ** 30,
      build_idle_timeout: 0,
      build_pids: null,
      build_memory: null,
      build_cpus: null,
      solve_timeout: 900,
      install_timeout: 3600,
      createrepo_timeout: 14_400,
      shm_size: null,
      shutdown: 'handover',
      handover_limit: 600,
      shutdown_grace: 60,
      monitoring_enabled: false,
      monitoring_bind: { host: '127.0.0.1', port: 8080 },
      monitoring_container_history_ttl: 3600,
      monitoring_task_history_ttl: 3600,
    });
  });

  it('types the values of both files', () => {
    const { kojid, adjutant, sources } = load({
      kojid:
        'MaxJobs = 1_0\nno_ssl_verify: On\nliteral_task_arches = x86*\n  i?86\nadmin_emails = a@x, b@x\n',
      adjutant:
        'container_mounts = /a:/b:ro /c:/d:rw:Z\ncontainer_labels = site=x,rack=1\nbuild_memory = 4G\nbuild_cpus = 1.5\nmonitoring_bind = [::1]:0\npodman_socket = unix:///run/p.sock\ncontainer_timeouts = pull=5\nshutdown_grace = 30\n',
    });

    expect(kojid).toMatchObject({
      maxjobs: 10,
      no_ssl_verify: true,
      literal_task_arches: ['x86*', 'i?86'],
      admin_emails: ['a@x', 'b@x'],
    });
    expect(adjutant).toMatchObject({
      container_mounts: [
        { source: '/a', target: '/b', readOnly: true },
        { source: '/c', target: '/d', readOnly: false, relabel: 'Z' },
      ],
      container_labels: { site: 'x', rack: '1' },
      build_memory: 4 * 1024 ** 3,
      build_cpus: 1.5,
      monitoring_bind: { host: '::1', port: 0 },
      podman_socket: '/run/p.sock',
      container_timeouts: { pullMs: 5000, startMs: 60_000 },
    });
    expect(sources.get('kojid.maxjobs')).toEqual({ kind: 'file', file: KOJID, line: 6 });
    expect(sources.get('kojid.minspace')).toEqual({ kind: 'default' });
  });

  it('keeps several topurls in order', () => {
    const { kojid } = load({ overrides: { topurl: { flag: '--topurl', text: 'http://a/x  https://b/y' } } });

    expect(kojid.topurl).toEqual(['http://a/x', 'https://b/y']);
  });

  it.each([
    ['', []],
    ['file:///mnt/koji http://a/x', ['file:///mnt/koji', 'http://a/x']],
  ])('takes files of this host for topurl: "%s"', (text, urls) => {
    expect(load({ overrides: { topurl: { flag: '--topurl', text } } }).kojid.topurl).toEqual(urls);
  });

  it('puts the state below the workdir', () => {
    expect(load({ kojid: 'workdir = /w\n' }).adjutant.state_dir).toBe('/w/adjutant');
  });

  it('ranks command line, environment, adjutant.conf, kojid.conf', () => {
    const { kojid, adjutant, sources } = load({
      kojid:
        'maxjobs = 2\nadjutant_build_pids = 100\nadjutant_policy_cache_ttl = 1\nadjutant_shutdown_grace = 41\n',
      adjutant: 'build_pids = 200\npolicy_cache_ttl = 2\n',
      env: { KOJI_ADJUTANT_BUILD_PIDS: '300', HOME: '/root' },
      overrides: { maxjobs: { flag: '--maxjobs', text: '5' } },
    });

    expect(kojid.maxjobs).toBe(5);
    expect(adjutant).toMatchObject({ build_pids: 300, policy_cache_ttl: 2, shutdown_grace: 41 });
    expect(sources.get('kojid.maxjobs')).toEqual({ kind: 'command-line', flag: '--maxjobs' });
    expect(sources.get('adjutant.build_pids')).toEqual({
      kind: 'environment',
      name: 'KOJI_ADJUTANT_BUILD_PIDS',
    });
  });

  it('reads the *.conf files of a folder in the order of their names', () => {
    const files = {
      '/conf.d': null,
      '/conf.d/20.conf': '[kojid]\nmaxjobs = 20\n',
      '/conf.d/10.conf': `[kojid]\n${needed}maxjobs = 10\nminspace = 1\n`,
      '/conf.d/30.conf.rpmsave': 'nonsense',
      '/adjutant.conf': '[adjutant]\nbuild_pids = 7\n',
    };

    const { kojid, adjutant } = load({ configPath: '/conf.d', files });

    expect(kojid).toMatchObject({ maxjobs: 20, minspace: 1 });
    expect(adjutant.build_pids).toBe(7);
  });

  it('takes adjutant.conf out of the folder, and warns that kojid would not', () => {
    const files = {
      '/conf.d': null,
      '/conf.d/10.conf': `[kojid]\n${needed}`,
      '/conf.d/adjutant.conf': '[adjutant]\nbuild_pids = 7\n',
    };

    const config = load({ configPath: '/conf.d', files });

    expect(config.adjutant.build_pids).toBe(7);
    expect(config.warnings.map(formatProblem)).toEqual([
      expect.stringContaining('move it to /adjutant.conf'),
    ]);
  });

  it('starts without any file when the command line says enough', () => {
    const overrides = Object.fromEntries(
      [
        ['server', 'http://hub/x'],
        ['topurl', 'http://hub/f'],
        ['user', 'u'],
        ['password', 'p'],
      ].map(([key, text]) => [key, { flag: `--${key}`, text }]),
    );

    const config = loadConfig({ overrides, env: {}, files: memoryFiles({ '/mnt/koji': null }) });

    expect(config.kojid.server).toBe('http://hub/x');
  });

  it('reports a file that -c names and nobody has, with what is missing then', () => {
    expect(problems({ configPath: '/nowhere.conf' })).toEqual([
      '/nowhere.conf: there is no such file; create it or correct the path',
      expect.stringContaining('server: the server option is required'),
      expect.stringContaining('no way to log in'),
    ]);
  });

  it('reports a file it may not read, where kojid passes over it', () => {
    expect(problems({ files: { [KOJID]: { unreadable: true } } })[0]).toContain(`${KOJID}: cannot be read`);
  });

  it('reports bytes that are not UTF-8 with their line', () => {
    const bytes = Buffer.from('[kojid]\nvendor = Gr\u00fc\u00dfe\n', 'latin1');

    expect(problems({ files: { [KOJID]: bytes } })[0]).toBe(
      `${KOJID}:2: this line is not UTF-8; save the file in that encoding`,
    );
  });

  it('reports all problems at once, each with its line', () => {
    const given = {
      kojid:
        'maxjobs = many\nsleeptyme = 3\nno_ssl_verify = maybe\nworkdir = var\nnonsense\nbuild_pids = 3\n',
      adjutant: 'build_memory = lots\nimage_pull_polcy = never\nmaxjobs = 3\nadjutant_build_pids = 3\n',
      env: { KOJI_ADJUTANT_BUILD_PIDS: '0' },
    };

    expect(problems(given)).toEqual([
      expect.stringMatching(/^\/etc\/kojid\/kojid\.conf:6: maxjobs: "many" is not a whole number/),
      expect.stringMatching(
        /^\/etc\/kojid\/kojid\.conf:7: sleeptyme: unknown option; did you mean sleeptime\?$/,
      ),
      expect.stringMatching(/^\/etc\/kojid\/kojid\.conf:8: no_ssl_verify: "maybe" is neither yes nor no/),
      expect.stringMatching(/^\/etc\/kojid\/kojid\.conf:9: workdir: "var" is not an absolute path/),
      expect.stringMatching(/^\/etc\/kojid\/kojid\.conf:10: "nonsense" is no "key = value"/),
      expect.stringMatching(/^\/etc\/kojid\/kojid\.conf:11: build_pids: .*it is a key of adjutant\.conf$/),
      expect.stringMatching(/^\/etc\/kojid\/adjutant\.conf:2: build_memory: "lots" is not a size/),
      expect.stringMatching(
        /^\/etc\/kojid\/adjutant\.conf:3: image_pull_polcy: .*did you mean image_pull_policy\?$/,
      ),
      expect.stringMatching(/^\/etc\/kojid\/adjutant\.conf:4: maxjobs: .*it is a key of kojid\.conf$/),
      expect.stringMatching(
        /^\/etc\/kojid\/adjutant\.conf:5: adjutant_build_pids: .*did you mean build_pids\?$/,
      ),
      'KOJI_ADJUTANT_BUILD_PIDS: 0 is too small; the least is 4',
    ]);
  });

  it('refuses unknown sections, also in adjutant.conf', () => {
    const files = { [KOJID]: `[kojd]\nx = 1\n[kojid]\n${needed}`, [ADJUTANT]: '[kojid]\nmaxjobs = 1\n' };

    expect(problems({ files })).toEqual([
      `${KOJID}:1: unknown section [kojd]; only [kojid] and [adjutant] may be here; did you mean kojid?`,
      `${ADJUTANT}:1: unknown section [kojid]; its keys belong into kojid.conf`,
    ]);
  });

  it('says that a required key is empty where it stands', () => {
    const files = { [KOJID]: `[kojid]\n${needed.replace('https://hub/kojihub', '')}` };

    expect(problems({ files })).toEqual([
      expect.stringContaining(`${KOJID}:2: server: the server option is required`),
    ]);
  });

  it('accepts our keys in kojid.conf and says that kojid stops at them', () => {
    const config = load({ kojid: 'adjutant_build_pids = 9\n[adjutant]\nbuild_cpus = 2\n' });

    expect(config.adjutant).toMatchObject({ build_pids: 9, build_cpus: 2 });
    expect(config.warnings.map(formatProblem)).toEqual([
      `${KOJID}:6: adjutant_build_pids: kojid stops at this key; move it to adjutant.conf as build_pids to be able to go back`,
      `${KOJID}:7: kojid stops at section [adjutant]; move it to adjutant.conf to be able to go back`,
    ]);
  });

  it('applies [DEFAULT] as Python does', () => {
    const files = { [KOJID]: `[DEFAULT]\nmaxjobs = 3\nminspace = 4\n[kojid]\n${needed}minspace = 5\n` };

    expect(load({ files }).kojid).toMatchObject({ maxjobs: 3, minspace: 5 });
  });

  it('reads resource limits in either case of their names', () => {
    const config = load({
      kojid: 'RLIMIT_NOFILE = 1024 4096\nrlimit_core = -1\nRLIMIT_AS =\nRLIMIT_NOFIL = 1\n',
    });

    expect(config.rlimits).toEqual({ nofile: { soft: 1024, hard: 4096 }, core: { soft: -1, hard: null } });
    expect(config.warnings.map(formatProblem)).toEqual([
      `${KOJID}:9: rlimit_nofil: there is no such limit; did you mean nofile?`,
    ]);
  });

  it.each([
    ['lots', 'is not a limit'],
    ['1 2 3', 'is not a limit'],
    ['10 5', 'above the hard one'],
    ['-1 5', 'above the hard one'],
  ])('refuses the resource limit %s', (text, message) => {
    expect(problems({ kojid: `RLIMIT_NOFILE = ${text}\n` })).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ['ca = /x\n', 'ca: has no effect, and kojid stops at it; remove it'],
    ['keepalive = True\n', 'keepalive: has no effect, and kojid stops at it; remove it'],
    ['pkgurl = http://x\n', 'pkgurl: has no effect: obsolete in Koji too; remove it'],
    ['mockuser = me\n', 'mockuser: has no effect: builds run as mockbuild (uid 1000) inside their container'],
    [
      'mock_bootstrap_image = False\n',
      'mock_bootstrap_image: means no here, while kojid takes "False" for yes; remove the line',
    ],
    [
      'topdir = /nowhere\n',
      "topdir: /nowhere is not a directory; createrepo tasks fail here until the hub's tree is mounted there",
    ],
    [
      'adjutant_container_timeouts = pull=300,start=60,stop_grace=20\n',
      'adjutant_container_timeouts: stop_grace has no effect: the containers of a stopped task are killed at once; remove it',
    ],
  ])('warns of %j', (kojid, message) => {
    expect(warnings({ kojid })).toContain(`${KOJID}:6: ${message}`);
  });

  it('reports plugins by either spelling, known ones with their state', () => {
    const config = load({ kojid: 'plugins = runroot homemade\n' });

    expect(config.kojid.plugin).toEqual(['runroot', 'homemade']);
    expect(config.warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('has no effect: plugins of kojid are Python code'),
      'runroot: runroot tasks are not there yet',
      'homemade: unknown plugin',
    ]);
  });

  it('warns of an environment variable that names no option', () => {
    expect(warnings({ env: { KOJI_ADJUTANT_BUILD_MEMROY: '4G' } })).toEqual([
      'KOJI_ADJUTANT_BUILD_MEMROY: there is no such option; did you mean build_memory?',
    ]);
  });

  it("is silent about the scripts' and the tests' own variables", () => {
    const env = { KOJI_ADJUTANT_STATE: '/var/lib/x', KOJI_ADJUTANT_TEST_USER: 'kojiadj' };

    expect(warnings({ env })).toEqual([]);
    expect(warnings({ env: { KOJI_ADJUTANT_STATES: '1' } })).toHaveLength(1);
  });

  it('is silent about an option without effect that is set to its default', () => {
    expect(warnings({ kojid: 'mockuser = kojibuilder\nsmtphost = example.com\n' })).toEqual([]);
  });

  it('needs no file tree: an empty topdir is no warning', () => {
    expect(warnings({ kojid: 'topdir =\n', files: {} })).toEqual([]);
  });

  it('refuses a workdir that is a file', () => {
    expect(problems({ kojid: 'workdir = /w\n', files: { '/w': '' } })).toEqual([
      `${KOJID}:6: workdir: /w is there and is not a directory; name another one or remove it`,
    ]);
  });

  it.each([
    ['container_mounts = /a:/b', 'is not a mount'],
    ['container_mounts = a:/b:ro', 'is not a mount'],
    ['container_mounts = /a:/b:ro /c:/b:ro', 'two mounts at /b'],
    ['container_labels = x', 'is not a label'],
    ['container_labels = io.koji.adjutant.task_id=1', "are the daemon's own"],
    ['container_timeouts = pull', 'is not a timeout'],
    ['container_timeouts = pull=0', 'is not a timeout'],
    ['buildroot_enabled = no', 'remove the line'],
    ['monitoring_bind = 8080', 'is not a host and port'],
    ['monitoring_bind = localhost:80800', 'is not a host and port'],
    ['build_cpus = 0', 'is not a number above zero'],
    ['build_cpus = 0.009', 'is too small; the least is 0.01'],
    ['build_memory = 3.9M', 'is too small; the least is 4M'],
    ['build_pids = 3', 'is too small; the least is 4'],
    ['shm_size = 0', 'is not a size'],
    ['podman_socket = tcp://x:1', 'is not a Unix socket'],
    ['image_pull_policy = sometimes', 'is none of if-not-present, always, never'],
    ['state_dir = here', 'is not an absolute path'],
    ['policy_cache_ttl = 1.5', 'is not a whole number'],
  ])('refuses %s', (line, message) => {
    expect(problems({ adjutant: `${line}\n` })).toEqual([expect.stringContaining(`${ADJUTANT}:2: `)]);
    expect(problems({ adjutant: `${line}\n` })[0]).toContain(message);
  });

  it.each([
    ['server', 'hub.example.com/kojihub', 'is not a web address'],
    ['topurl', 'https://a/x file://y/z', 'is not a web address'],
    ['topurl', 'ftp://a/x', 'is not a web address'],
    ['timeout', '0', 'is too small'],
    ['sleeptime', '1e3', 'is not a whole number'],
    ['maxjobs', '99999999999999999999', 'is not a whole number'],
    ['log_level', 'verbose', 'is none of'],
  ] as const)('refuses --%s %s', (key, text, message) => {
    const refused = problems({ overrides: { [key]: { flag: `--${key}`, text } } });

    expect(refused).toEqual([expect.stringContaining(`--${key}: `)]);
    expect(refused[0]).toContain(message);
  });
});
