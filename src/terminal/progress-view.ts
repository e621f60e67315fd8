import { stripVTControlCharacters, styleText } from 'node:util';
import { printable } from '../core/printable.ts';
import type { Phase } from './phases.ts';

/** One task with its depth in the tree. */
export interface TaskRow {
  readonly id: number;
  readonly depth: number;
  readonly method: string;
  /** What tells it from its siblings: a source package, a tag, an arch. */
  readonly subject: string;
  readonly state: string;
  /** How long it has run, or null when it has not begun. */
  readonly elapsedMs: number | null;
  readonly phases: readonly Phase[];
}

/** All that is to be seen at one moment. */
export interface Frame {
  readonly nowMs: number;
  readonly tasks: readonly TaskRow[];
  /** The end of the log that grew last. */
  readonly tail: { readonly title: string; readonly lines: readonly string[] } | null;
  /** Why nothing happens, if the daemon has said so. */
  readonly note: string | null;
}

type Style = Parameters<typeof styleText>[0];

const styleOfState: Readonly<Record<string, Style>> = {
  closed: 'green',
  open: 'cyan',
  failed: 'red',
  canceled: 'red',
};

const nameWidth = 46;
const stateWidth = 8;
const timeWidth = 8;

/** The lines of a frame for a terminal of this size, the most interesting ones when there is no room for all. */
export function renderFrame(
  frame: Frame,
  size: { readonly columns: number; readonly rows: number },
): string[] {
  const tail = renderTail(frame);
  const tasks = frame.tasks.flatMap((task) => renderTask(task, frame.nowMs, true));
  const short = frame.tasks.flatMap((task) => renderTask(task, frame.nowMs, task.state === 'open'));
  const shortTail = [...tail.slice(0, 2), ...tail.slice(2).slice(-2)];
  const choices = [[...tasks, ...tail], [...short, ...tail], [...short, ...shortTail], short];
  const lines = choices.find((choice) => choice.length <= size.rows) ?? short.slice(-size.rows);
  return lines.map((line) => styled({ ...line, text: cut(printable(line.text), size.columns) }));
}

interface Line {
  readonly text: string;
  readonly style: Style | null;
  /** The one word the style is for; absent: the whole line. */
  readonly word?: string;
}

function renderTask(task: TaskRow, nowMs: number, withPhases: boolean): Line[] {
  const { state, elapsedMs } = task;
  const name = cut(`${indent(task.depth)}${task.method.padEnd(12)} ${task.subject}`, nameWidth);
  const text = `${name.padEnd(nameWidth)} ${state.padEnd(stateWidth)}${elapsedMs === null ? '' : seconds(elapsedMs).padStart(timeWidth)}`;
  const style = styleOfState[state] ?? 'dim';
  const phases = withPhases ? task.phases : [];
  return [
    { text: text.trimEnd(), style, word: state },
    ...phases.map((phase): Line => {
      const running = phase.endMs === null && state === 'open';
      const took = seconds((phase.endMs ?? nowMs) - phase.startMs).padStart(timeWidth);
      const label = cut(`${indent(task.depth + 1)}${phase.name}`, nameWidth).padEnd(nameWidth);
      return {
        text: `${label} ${''.padEnd(stateWidth)}${phase.endMs === null && !running ? '' : took}`.trimEnd(),
        style: running ? null : 'dim',
      };
    }),
  ];
}

function renderTail({ tail, note }: Frame): Line[] {
  if (tail !== null && tail.lines.length > 0) {
    return [
      { text: '', style: null },
      { text: `  ${tail.title}`, style: 'dim' },
      ...tail.lines.map((text): Line => ({ text: `  | ${text}`, style: 'dim' })),
    ];
  }
  if (note === null) return [];
  return [
    { text: '', style: null },
    { text: `  ${note}`, style: 'yellow' },
  ];
}

function indent(depth: number): string {
  return '  '.repeat(depth + 1);
}

/** A duration for people: `12.3 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** A size for people: `7.4 kB`. */
export function fileSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB'];
  const step = Math.min(Math.floor(Math.log10(bytes) / 3), units.length);
  return `${(bytes / 1000 ** step).toFixed(1)} ${units[step - 1]}`;
}

/** The last lines of a log as a terminal can show them: no control characters, of overwritten lines the last state. */
export function lastLines(text: string, count: number): string[] {
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .map((line) => (line.replace(/\r+$/, '').split('\r').at(-1) ?? '').replaceAll('\t', '  '))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not reach the terminal
    .map((line) => printable(line.replace(/[\0-\x1f\x7f-\x9f]/g, '')).trimEnd())
    .filter((line) => line !== '');
  return lines.slice(-count);
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(columns - 3, 0))}...`;
}

function styled({ text, style, word }: Line): string {
  if (style === null) return text;
  if (word === undefined) return paint(style, text);
  const at = text.lastIndexOf(word);
  return at < 0 ? text : text.slice(0, at) + paint(style, word) + text.slice(at + word.length);
}

/** Styled for standard output: plain where that is no terminal or the user wants no colours. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}
