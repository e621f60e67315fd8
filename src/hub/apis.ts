import type { Clock } from '../core/clock.ts';
import { BuildrootsApi } from './buildroots-api.ts';
import { BuildsApi } from './builds-api.ts';
import { HostApi } from './host-api.ts';
import { NotificationsApi } from './notifications-api.ts';
import { QueueApi } from './queue-api.ts';
import { ReposApi } from './repos-api.ts';
import type { HubSession } from './session.ts';
import { SubtasksApi } from './subtasks-api.ts';
import { TagHistoryApi } from './tag-history-api.ts';
import { TagsApi } from './tags-api.ts';
import { VersionApi } from './version-api.ts';

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
