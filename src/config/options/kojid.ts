import { option, required, unset } from './option.ts';
import {
  absolutePath,
  boolean,
  choice,
  integer,
  path,
  requiredDirectory,
  seconds,
  separated,
  text,
  treeUrls,
  webUrl,
  words,
} from './parsers.ts';

const noScm = 'builds from source control are not there yet';
const noImages = 'image tasks are not there yet';
const noMaven = 'Maven tasks are not there yet';
const noLeftovers = 'containers and directories of a task are removed when it ends';
const noPlugins = 'plugins of kojid are Python code, which this daemon cannot load';

/** Every key of kojid's section, with its type and default there (`builder/kojid get_options`). */
export const kojidOptions = {
  server: required(webUrl, "The hub's XML-RPC address."),
  topurl: option(
    treeUrls,
    '',
    "Where the hub's files can be downloaded; `file:///...` on this host. Not set: they are at `topdir`.",
  ),
  topdir: option(
    absolutePath,
    '/mnt/koji',
    "The hub's file tree, if it is mounted here; createrepo tasks need it.",
  ),
  workdir: option(
    requiredDirectory,
    '/var/lib/koji-adjutant',
    'Where tasks keep their files while they run. Nobody but root and the user of the daemon may write to it or to a directory above it.',
  ),

  user: unset(text, 'User name for a login with password.'),
  password: unset(text, 'Password for it.', { secret: true }),
  cert: unset(
    path,
    'Client certificate and its key in one PEM file. Not set: /etc/kojid/client.crt if that is there.',
  ),
  serverca: unset(
    path,
    "CA of the hub's certificate. Not set: /etc/kojid/serverca.crt if that is there, else the system's.",
  ),
  no_ssl_verify: option(
    boolean,
    'False',
    "Do not check the hub's certificate; without effect where serverca is set.",
  ),
  krb_principal: unset(
    text,
    'Kerberos principal. Not set: made from host_principal_format; empty: the first in the keytab.',
  ),
  host_principal_format: option(
    text,
    'compile/%s@EXAMPLE.COM',
    "Principal with %s for the host's full name.",
  ),
  keytab: option(
    path,
    '/etc/kojid/kojid.keytab',
    'Keytab with the key of the principal. Empty: tickets are in the ccache, and something else renews them.',
  ),
  ccache: option(path, '/var/tmp/kojid.ccache', 'Kerberos credential cache.'),

  sleeptime: option(seconds(0), '15', 'Longest pause between two looks at the hub.'),
  maxjobs: option(integer(), '10', 'Most tasks at a time.'),
  minspace: option(integer(null, 'MiB'), '8192', 'Free disk space below which no new task is taken.'),
  task_avail_delay: option(
    seconds(),
    '300',
    'Longest wait before a task is taken that suits another host better; for hubs before 1.34, newer ones assign tasks.',
  ),
  literal_task_arches: option(
    words,
    '',
    'Architectures (glob patterns) that buildArch tasks are created for as they are.',
  ),
  build_arch_can_fail: option(boolean, 'False', 'A failed buildArch task does not cancel its siblings.'),

  retry_interval: option(seconds(0), '60', 'Pause before a hub call is sent again.'),
  max_retries: option(integer(), '120', 'How often a hub call is sent again.'),
  offline_retry: option(boolean, 'True', 'Wait for a hub that says it is offline.'),
  offline_retry_interval: option(seconds(0), '120', 'Pause before the next try then.'),
  timeout: unset(seconds(1), 'Longest wait for an answer of the hub. Not set: 12 hours.'),
  use_fast_upload: option(boolean, 'True', 'Upload raw bytes instead of XML-RPC calls.'),

  packager: option(text, 'Koji', "The packages' Packager."),
  vendor: option(text, 'Koji', "The packages' Vendor."),
  distribution: option(text, 'Koji', "The packages' Distribution."),
  mockhost: option(text, 'koji-linux-gnu', 'End of the macro %_host, behind the architecture.'),
  rpmbuild_timeout: option(seconds(0), '86400', 'Longest time for one rpmbuild; 0 for no limit.'),
  mock_bootstrap_image: option(boolean, 'False', "Heed the tag's mock.bootstrap_image."),
  chroot_tmpdir: option(text, '/chroot_tmpdir', 'Directory for temporary files inside a buildroot.', {
    ignored: 'a buildroot has its own /tmp',
  }),
  mockdir: option(path, '/var/lib/mock', "mock's directory.", {
    ignored: "buildroots lie in Podman's storage, and minspace looks there",
  }),
  mockuser: option(text, 'kojibuilder', 'User that runs mock.', {
    ignored: 'builds run as mockbuild (uid 1000) inside their container',
  }),
  yum_proxy: unset(text, "Proxy for package downloads and dnf, in place of the environment's."),
  log_timestamps: option(
    boolean,
    'False',
    "Beside each of a buildroot's logs keep one of the times at which it grew.",
  ),
  failed_buildroot_lifetime: option(
    seconds(),
    '14400',
    'How long a failed buildroot is kept, for `koji-adjutant shell TASK`; 0: not at all.',
  ),
  buildroot_basic_cleanup_delay: option(seconds(), '120', 'When a buildroot is emptied.', {
    ignored: noLeftovers,
  }),
  buildroot_final_cleanup_delay: option(seconds(), '86400', 'When the rest of it goes.', {
    ignored: noLeftovers,
  }),

  use_createrepo_c: option(boolean, 'True', 'createrepo_c instead of createrepo.', {
    ignored: 'it is always createrepo_c',
  }),
  createrepo_skip_stat: option(boolean, 'True', 'Do not look again at packages that the old metadata has.'),
  createrepo_update: option(boolean, 'True', "Start from the last repo's metadata."),
  copy_old_repodata: option(boolean, 'False', "Copy the last repo's metadata when no package changed.", {
    ignored: 'metadata is always written from scratch',
  }),
  distrepo_skip_stat: option(boolean, 'False', 'createrepo_skip_stat of distRepo tasks.', {
    ignored: 'distRepo tasks are not there yet',
  }),

  allowed_scms: option(
    words,
    '',
    'Allowed sources: host:repository[:use_common[:source_cmd]], or !host:repository.',
    {
      ignored: noScm,
    },
  ),
  allowed_scms_use_config: option(boolean, 'True', 'Check sources against allowed_scms.', { ignored: noScm }),
  allowed_scms_use_policy: option(boolean, 'False', "Check sources against the hub's policy.", {
    ignored: noScm,
  }),
  allow_password_in_scm_url: option(boolean, 'False', 'Take source URLs with a password.', {
    ignored: noScm,
  }),
  scm_credentials_dir: unset(path, 'Directory shown to SRPM builds as /credentials.', { ignored: noScm }),
  support_rpm_source_layout: option(boolean, 'True', 'Take sources from SOURCES, specs from SPECS.', {
    ignored: noScm,
  }),

  log_level: unset(
    choice('', 'CRITICAL', 'FATAL', 'ERROR', 'WARN', 'WARNING', 'INFO', 'DEBUG', 'NOTSET'),
    'Least severe message that is logged. Not set: WARN; -v and -d win.',
  ),
  admin_emails: unset(separated(','), 'Addresses that get error messages by mail.', {
    ignored: 'the log goes to stderr, which the journal keeps',
  }),
  smtphost: option(
    text,
    'example.com',
    'Mail server for notifications; `host:port`, port 25 where none is given.',
  ),
  smtp_user: unset(text, 'User name there. Not set: no login.'),
  smtp_pass: unset(text, 'Password there.', { secret: true }),
  from_addr: option(text, 'Koji Build System <buildsys@example.com>', 'Sender of notifications.'),

  plugin: option(words, '', 'Plugins to load; plugins is the same key.', { ignored: noPlugins }),
  pluginpath: option(separated(':'), '/usr/lib/koji-builder-plugins', 'Directories with plugins.', {
    ignored: noPlugins,
  }),
  maven_repo_ignore: option(
    words,
    '*.md5 *.sha1 maven-metadata*.xml _maven.repositories _remote.repositories resolver-status.properties *.lastUpdated',
    'Files (glob patterns) that are no result of a Maven build.',
    { ignored: noMaven },
  ),
  oz_install_timeout: option(seconds(), '0', 'Longest time for an installation; 0 for the default of oz.', {
    ignored: noImages,
  }),
  xz_options: option(text, '-z6T0', 'Options of xz for raw-xz images.', { ignored: noImages }),
  allow_noverifyssl: option(boolean, 'False', 'Let anaconda not check certificates.', { ignored: noImages }),
  pkgurl: unset(text, 'Obsolete.', { ignored: 'obsolete in Koji too; remove it' }),
};

/** Other spellings kojid takes. */
export const kojidAliases: ReadonlyMap<string, keyof typeof kojidOptions> = new Map([['plugins', 'plugin']]);

/** Keys that Koji's documentation lists as ignored, at which kojid stops all the same; accepted with a warning. */
export const toleratedKojidKeys: ReadonlySet<string> = new Set(['ca', 'keepalive']);

/** Plugins of Koji itself, and what an operator who had them enabled should know. */
export const knownPlugins: ReadonlyMap<string, string> = new Map([
  ['runroot', 'runroot tasks are not there yet'],
  ['save_failed_tree', 'saveFailedTree tasks are not there yet'],
  ['kiwi', 'kiwi image tasks are not there yet'],
  ['dud', 'driver update disk tasks are not there yet'],
  ['scmpolicy', 'builds from source control are not there yet'],
]);
