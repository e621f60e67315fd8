/** One step inside a task. Times in milliseconds since the epoch; `endMs` is null while it runs. */
export interface Phase {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number | null;
}

const line =
  /^(?<date>\d{4}-\d\d-\d\d) (?<time>\d\d:\d\d:\d\d),(?<ms>\d{3}) - (?<word>Start|Finish): (?<name>.+)$/;

/** Reads the steps out of a `state.log`; a last line that is not whole yet, or anything else, is skipped. */
export function parsePhases(stateLog: string): readonly Phase[] {
  const phases: Phase[] = [];
  for (const text of stateLog.split('\n').slice(0, -1)) {
    const { date, time, ms, word, name } = line.exec(text)?.groups ?? {};
    if (name === undefined) continue;
    const atMs = Date.parse(`${date}T${time}.${ms}Z`);
    const open = phases.findLastIndex((phase) => phase.name === name && phase.endMs === null);
    if (word === 'Start') phases.push({ name, startMs: atMs, endMs: null });
    else if (open >= 0) phases[open] = { name, startMs: phases[open]?.startMs ?? atMs, endMs: atMs };
  }
  return phases;
}
