import { describeError } from '../core/errors.ts';
import { isSupported, oldestHub } from '../hub/api/version.ts';
import { canonArch, machineArch } from '../rpm/arch.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** Why the hub gave no answer; the errors of the hub client say themselves what to check. */
export function judgeHubError(what: string, error: unknown): Finding {
  return fail(what, describeError(error), null);
}

export function judgeHubVersion(url: string, version: string): Finding {
  const found = `${url} answers, version ${version}`;
  if (isSupported(version)) return ok('hub', found);
  return fail('hub', found, `too old for this builder: upgrade the hub to ${oldestHub.join('.')} or newer`);
}

const mostSkewMs = 30_000;

/** `hubMs` is the hub's clock at some time between `before` and `after` of ours; null when it does not tell. */
export function judgeClock(hubMs: number | null, beforeMs: number, afterMs: number): Finding {
  const what = 'clock';
  if (hubMs === null) return ok(what, 'the hub does not tell its time');
  // The header is cut to the second.
  const early = beforeMs - (hubMs + 1000);
  const late = hubMs - afterMs;
  const skewMs = Math.max(early, late, 0);
  const seconds = Math.round(skewMs / 1000);
  if (skewMs <= mostSkewMs)
    return ok(what, seconds === 0 ? 'agrees with the hub' : `${seconds} s off the hub's`);
  return warn(
    what,
    `${seconds} s ${early > 0 ? 'ahead of' : 'behind'} the hub's`,
    'let both follow the same time servers: certificates and the times of logs depend on it',
  );
}

export interface HostRow {
  readonly id: number;
  readonly name: string;
  readonly arches: readonly string[];
  readonly capacity: number;
  readonly enabled: boolean;
}

/** `host` is null when no host belongs to the user that logged in. */
export function judgeHost(user: string, host: HostRow | null, hostArch: string): readonly Finding[] {
  if (host === null) {
    return [
      fail(
        'host',
        `user ${user} belongs to no host`,
        `run "koji add-host ${user} ${hostArch}" as an administrator of the hub`,
      ),
    ];
  }
  const { name, enabled, arches, capacity } = host;
  const shown = `${name}, capacity ${capacity}, arches ${arches.join(' ') || '(none)'}`;
  return [
    enabled
      ? ok('host', shown)
      : fail('host', `${shown}, disabled`, `it gets no task: run "koji enable-host ${name}"`),
    arches.some((arch) => machineArch(canonArch(arch)) === hostArch)
      ? ok('arches', `${hostArch} is among the host's`)
      : warn(
          'arches',
          `the host has ${arches.join(' ') || 'none'}, this machine is ${hostArch}`,
          `run "koji edit-host --arches='${hostArch}' ${name}"`,
        ),
  ];
}

/** `hasTopDir`: whether the hub's file tree is on this host. */
export function judgeChannels(host: string, channels: readonly string[], hasTopDir: boolean): Finding {
  const found = channels.join(' ') || 'none';
  if (channels.length === 0) {
    return fail('channels', found, `the host gets no task: run "koji add-host-to-channel ${host} default"`);
  }
  if (channels.includes('createrepo') && !hasTopDir) {
    return fail(
      'channels',
      found,
      `createrepo tasks need topdir: mount it, or run "koji remove-host-from-channel ${host} createrepo"`,
    );
  }
  return ok('channels', found);
}

/** An answer to a HEAD request for a directory of the hub's files, or why there was none. */
export type TopUrlAnswer = { readonly status: number } | { readonly problem: string };

export function judgeTopUrl(url: string, answer: TopUrlAnswer): Finding {
  const what = 'topurl';
  const remedy = 'buildroots and sources are downloaded from there: correct topurl in kojid.conf';
  if ('problem' in answer) return fail(what, `${url}: ${answer.problem}`, remedy);
  const { status } = answer;
  if (status < 400) return ok(what, `${url} can be read`);
  // Many web servers forbid lists of directories and serve the files in them.
  if (status === 403) return ok(what, `${url} answers, though without lists of directories`);
  if (status === 404) return warn(what, `${url} has no repos/`, remedy);
  return fail(what, `${url} answers with HTTP status ${status}`, remedy);
}
