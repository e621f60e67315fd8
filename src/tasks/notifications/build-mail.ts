import { printable } from '../../core/printable.ts';
import type { ChangelogEntry, EndedBuild } from '../../hub/api/notifications.ts';
import { formatChangelogDate, formatTimeLong } from './format-time.ts';
import type { Mail } from './mail.ts';
import type { TaskFile, TaskReport } from './task-report.ts';

/** The end of a build, for those who want to know. */
export interface BuildReport {
  readonly build: EndedBuild;
  /** The build's state in Koji's words: `complete`, `failed`, `canceled`. */
  readonly status: string;
  readonly destTag: string | null;
  /** The build's tasks, each before its children. */
  readonly tasks: readonly TaskReport[];
  /** Why a failed build failed; null for others. */
  readonly failure: string | null;
  /** Who cancelled a cancelled build; null for others and when the hub does not tell. */
  readonly canceler: string | null;
  /** The newest entries. */
  readonly changelog: readonly ChangelogEntry[];
}

export interface MailContext {
  readonly from: string;
  readonly to: readonly string[];
  /** Koji's web site, without a slash at the end. */
  readonly webUrl: string;
  /** The hub's files, without a slash at the end. */
  readonly topUrl: string;
  /** IANA name of the zone that times are told in. */
  readonly timeZone: string;
}

/**
 * The mail about the end of a build, field for field and line for line as kojid's: filters of its readers go
 * by these (`builder/kojid BuildNotificationTask`).
 */
export function toBuildMail(report: BuildReport, surroundings: MailContext): Mail {
  const { build, status, changelog, tasks } = report;
  const { from, to, webUrl, timeZone } = surroundings;
  const tag = report.destTag ?? 'None';
  const canceled = report.canceler === null ? '' : `\r\nCanceled by: ${printable(report.canceler)}`;
  const lines = [
    printable(`Package: ${build.nvr}`),
    printable(`Tag: ${tag}`),
    `Status: ${status}${canceled}`,
    printable(`Built by: ${build.ownerName}`),
    `ID: ${build.id}`,
    `Started: ${formatTimeLong(build.createdTs, timeZone)}`,
    `Finished: ${formatTimeLong(build.completedTs, timeZone)}`,
    changelog.length === 0 ? '' : `Changelog:\r\n${changelog.map(changelogEntry).join('')}`,
    report.failure === null ? canceled : failureLines(report, report.failure),
    `${sourceLines(tasks)}${states.map((state) => taskLines(state, report, surroundings)).join('')}`,
    `Task Info: ${webUrl}/taskinfo?taskID=${build.taskId}`,
    `Build Info: ${webUrl}/buildinfo?buildID=${build.id}`,
  ];
  return {
    from,
    to,
    subject: `Package: ${build.nvr} Tag: ${tag} Status: ${status} Built by: ${build.ownerName}`,
    headers: [
      ['X-Koji-Tag', tag],
      ['X-Koji-Package', build.packageName],
      ['X-Koji-Builder', build.ownerName],
      ['X-Koji-Status', status],
      ['X-Koji-Draft', build.draft ? 'True' : 'False'],
    ],
    body: `${lines.join('\r\n')}\r\n`,
  };
}

/** The groups of tasks in a mail, in its order; tasks in other states are left out. */
const states = ['failed', 'canceled', 'closed'] as const;

function changelogEntry({ date, author, text }: ChangelogEntry): string {
  return `* ${formatChangelogDate(date)} ${printable(author)}\r\n${text.replaceAll('\n', '\r\n')}\r\n\r\n`;
}

function failureLines({ build, tasks }: BuildReport, failure: string): string {
  const hosts = tasks
    .filter(({ state, host }) => state === 'failed' && host !== null)
    .map(({ host, arch }) => printable(`${host} (${arch})`));
  return `\r\n${printable(build.nvr)} (${build.id}) failed on ${hosts.join(', ')}:\r\n  ${failure}`;
}

function sourceLines(tasks: readonly TaskReport[]): string {
  const names = [...new Set(tasks.flatMap(({ srpms }) => srpms))].sort();
  return names.length === 0
    ? ''
    : `SRPMS:\r\n${names.map((name) => `  ${printable(name)}`).join('')}\r\n\r\n`;
}

function taskLines(
  state: (typeof states)[number],
  { build, tasks }: BuildReport,
  { webUrl, topUrl }: MailContext,
): string {
  const group = tasks.filter((task) => task.state === state);
  if (group.length === 0) return '';
  const buildUrl = `${volumeUrl(topUrl, build.volumeName)}/packages/${build.name}/${build.version}/${build.release}`;
  const entries = group.map((task) => {
    const urlOf = ({ name, volume }: TaskFile) =>
      `${webUrl}/getfile?taskID=${task.id}&name=${name}&volume=${volume}`;
    return [
      `Task ${task.id}${task.host === null ? '' : ` on ${printable(task.host)}`}\r\n`,
      `Task Type: ${printable(task.label)}\r\n`,
      fileLines('logs', task.logs.map(urlOf)),
      fileLines(
        'rpms',
        task.rpms.map((name) => `${buildUrl}/${task.buildArch}/${name}`),
      ),
      fileLines('misc', task.others.map(urlOf)),
      '\r\n',
    ].join('');
  });
  const title = `${state[0]?.toUpperCase()}${state.slice(1)} tasks:`;
  return `${title}\r\n${'-'.repeat(title.length)}\r\n\r\n${entries.join('')}\r\n`;
}

function fileLines(kind: string, urls: readonly string[]): string {
  return urls.length === 0 ? '' : `${kind}:\r\n${urls.map((url) => ` ${printable(url)}\r\n`).join('')}`;
}

/** Where a volume's files lie (`koji/__init__.py PathInfo.volumedir`). */
function volumeUrl(topUrl: string, volume: string | null): string {
  return volume === null || volume === 'DEFAULT' ? topUrl : `${topUrl}/vol/${volume}`;
}
