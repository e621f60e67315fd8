import type { Clock } from '../../core/clock.ts';
import type { HubSession } from '../session/session.ts';
import { BuildrootsApi } from './buildroots.ts';
import { BuildsApi } from './builds.ts';
import { HostApi } from './host.ts';
import { NotificationsApi } from './notifications.ts';
import { QueueApi } from './queue.ts';
import { ReposApi } from './repos.ts';
import { SubtasksApi } from './subtasks.ts';
import { TagHistoryApi } from './tag-history.ts';
import { TagsApi } from './tags.ts';
import { VersionApi } from './version.ts';

/** The hub's methods, by subject, through one session. */
export interface HubApis {
  readonly host: HostApi;
  readonly queue: QueueApi;
  readonly subtasks: SubtasksApi;
  readonly buildroots: BuildrootsApi;
  readonly tags: TagsApi;
  readonly tagHistory: TagHistoryApi;
  readonly repos: ReposApi;
  readonly builds: BuildsApi;
  readonly notifications: NotificationsApi;
  readonly version: VersionApi;
}

export function hubApis(session: HubSession, clock: Clock): HubApis {
  return {
    host: new HostApi(session),
    queue: new QueueApi(session),
    subtasks: new SubtasksApi(session),
    buildroots: new BuildrootsApi(session),
    tags: new TagsApi(session),
    tagHistory: new TagHistoryApi(session),
    repos: new ReposApi(session, clock),
    builds: new BuildsApi(session),
    notifications: new NotificationsApi(session),
    version: new VersionApi(session),
  };
}
