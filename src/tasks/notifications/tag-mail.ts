import { printable } from '../../core/printable.ts';
import type { Mail } from './mail.ts';

/** A build that was tagged, untagged or moved, or was to be. */
export interface TagReport {
  readonly build: { readonly packageName: string; readonly nvr: string; readonly draft: boolean };
  readonly userName: string;
  /** At least one of the two is there. */
  readonly fromTag: string | null;
  readonly intoTag: string | null;
  /** Why it was not done; null when it was. */
  readonly failure: string | null;
}

/** The mail about a tag operation, field for field and line for line as kojid's (`builder/kojid TagNotificationTask`). */
export function toTagMail(
  report: TagReport,
  { from, to }: { readonly from: string; readonly to: readonly string[] },
): Mail {
  const { build, userName, fromTag, intoTag, failure } = report;
  const action = fromTag === null ? 'tagged' : intoTag === null ? 'untagged' : 'moved';
  const status = failure === null ? 'complete' : 'failed';
  const places = [
    ...(fromTag === null ? [] : [`from ${fromTag}`]),
    ...(intoTag === null ? [] : [`into ${intoTag}`]),
  ];
  const how = failure === null ? 'successfully' : 'unsuccessfully';
  const subject = printable(`${build.nvr} ${how} ${action} ${places.join(' ')} by ${userName}`);
  const lines = [
    printable(`Package: ${build.packageName}`),
    printable(`NVR: ${build.nvr}`),
    printable(`User: ${userName}`),
    `Status: ${status}`,
    `Tag Operation: ${action}`,
    ...(fromTag === null ? [] : [printable(`From Tag: ${fromTag}`)]),
    ...(intoTag === null ? [] : [printable(`Into Tag: ${intoTag}`)]),
    '',
    subject,
    ...(failure === null ? [] : ['Operation failed with the error:', `    ${failure}`]),
    '',
  ];
  return {
    from,
    to,
    subject,
    headers: [
      ['X-Koji-Package', build.packageName],
      ['X-Koji-NVR', build.nvr],
      ['X-Koji-Draft', build.draft ? 'True' : 'False'],
      ['X-Koji-User', userName],
      ['X-Koji-Status', status],
      ...[fromTag, intoTag]
        .filter((tag) => tag !== null)
        .map((tag): readonly [string, string] => ['X-Koji-Tag', tag]),
    ],
    body: `${lines.join('\r\n')}\r\n`,
  };
}
