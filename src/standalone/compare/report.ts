import { printable } from '../../core/printable.ts';
import type { Comparison, Finding } from './comparison.ts';
import { whitelist } from './whitelist.ts';

/** The findings nothing excuses. */
export function unexcused(comparisons: readonly Comparison[]): readonly Finding[] {
  return comparisons.flatMap(({ findings }) => findings.filter(({ allowedBy }) => allowedBy === null));
}

/** A comparison for people: what was held against what, what differs, and what differs by nature. Each line is printable. */
export function formatComparison(comparison: Comparison): string {
  const { taskId, arch, source, repo, theirs, ours, findings } = comparison;
  const open = findings.filter(({ allowedBy }) => allowedBy === null);
  const lines = [
    `task ${taskId}: ${source} for ${arch}, repo ${repo.id} of ${repo.tag} (event ${repo.event})`,
    `  theirs  ${seconds(theirs.tookMs)}  ${theirs.host ?? 'a host the hub does not name'}, buildroot ${theirs.buildrootId} (${theirs.buildrootArch})`,
    `  ours    ${seconds(ours.tookMs)}  ${ours.image} (${ours.because})`,
    ...ours.steps.map(({ name, tookMs }) => `          ${seconds(tookMs)}  ${name}`),
    `  compared: ${comparison.packages.length} packages, buildroot of ${comparison.rootPackages} packages, names of logs`,
    ...comparison.notes.map((note) => `  note: ${note}`),
    ...open.flatMap(formatFinding),
    ...formatExcused(findings),
    `  ${open.length === 0 ? 'no difference' : `${open.length} differences`} outside the whitelist`,
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function formatFinding({ subject, what, of, ours, theirs }: Finding): readonly string[] {
  const of_ = of === null ? '' : ` of ${shorten(of)}`;
  return [
    `  DIFFERENT ${subject}: ${what}${of_}`,
    `    ours:   ${ours === null ? '(not there)' : shorten(ours)}`,
    `    theirs: ${theirs === null ? '(not there)' : shorten(theirs)}`,
  ];
}

function formatExcused(findings: readonly Finding[]): readonly string[] {
  return whitelist.flatMap((allowance) => {
    const count = findings.filter(({ allowedBy }) => allowedBy?.id === allowance.id).length;
    return count === 0 ? [] : [`  allowed   ${allowance.id} (${count}): ${allowance.reason}`];
  });
}

const longest = 300;

/** On one line, and no longer than a screen takes. */
function shorten(text: string): string {
  const quoted = JSON.stringify(text).slice(1, -1);
  return quoted.length <= longest ? quoted : `${quoted.slice(0, longest)}... (${quoted.length} characters)`;
}

function seconds(ms: number | null): string {
  return ms === null ? '     ?' : `${(ms / 1000).toFixed(1).padStart(6)} s`;
}

/** The same for programs: every finding, the excused ones with the name of what excuses them. */
export function toReportJson(target: string, comparisons: readonly Comparison[]): string {
  const tasks = comparisons.map(({ findings, ...rest }) => ({
    ...rest,
    differences: findings.map(({ allowedBy, ...one }) => ({ ...one, allowedBy: allowedBy?.id ?? null })),
  }));
  const report = { target, equal: unexcused(comparisons).length === 0, tasks };
  return `${JSON.stringify(report, null, 2)}\n`;
}
