import type { Config } from '../config/schema.ts';

/** What tasks go by of the daemon's configuration. */
export interface TaskSettings {
  /** The hub's file tree on this host; it may be missing. */
  readonly topDir: string;
  /** Where people download the hub's files. */
  readonly topUrl: string;
  /** Address of the hub. */
  readonly server: string;
  readonly mail: {
    readonly from: string;
    /** Of the mail server, with a port where it is not 25. */
    readonly host: string;
    readonly user: string | null;
    readonly password: string | null;
  };
  /** A buildArch task that fails does not cancel its siblings. */
  readonly buildArchCanFail: boolean;
  /** kojid's `literal_task_arches`. */
  readonly literalTaskArches: readonly string[];
  /** Metadata of repos starts from that of the tag's last one. */
  readonly updateRepos: boolean;
  /** Packages that the old metadata has are not looked at again. */
  readonly skipStat: boolean;
  /** kojid's `mock_bootstrap_image`. */
  readonly mockBootstrapImage: boolean;
  /** A policy may give builds the network of this host. */
  readonly networkEnabled: boolean;
  /** What the operator opens to builds. */
  readonly site: Config['site'];
}

/** The settings of tasks, by a configuration. */
export function toTaskSettings({
  kojid,
  adjutant,
  site,
}: Pick<Config, 'kojid' | 'adjutant' | 'site'>): TaskSettings {
  return {
    topDir: kojid.topdir,
    topUrl: kojid.topurl[0] ?? '',
    server: kojid.server,
    mail: {
      from: kojid.from_addr,
      host: kojid.smtphost,
      user: kojid.smtp_user,
      password: kojid.smtp_pass,
    },
    buildArchCanFail: kojid.build_arch_can_fail,
    literalTaskArches: kojid.literal_task_arches,
    updateRepos: kojid.createrepo_update,
    skipStat: kojid.createrepo_skip_stat,
    mockBootstrapImage: kojid.mock_bootstrap_image,
    networkEnabled: adjutant.network_enabled,
    site,
  };
}
