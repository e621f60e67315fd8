import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import { printable } from '../../core/printable.ts';
import type { LogFile } from '../../logs/log-file.ts';
import type { TaskLogs } from '../../logs/task-logs.ts';
import type { RootLogs } from './root-logs.ts';

/** The logs of a root's steps: root.log, build.log, and what mock says in state.log and mock_output.log. */
export class StepLogs implements RootLogs {
  readonly root: LogFile;
  readonly build: LogFile;
  readonly #state: LogFile;
  readonly #output: LogFile;
  readonly #clock: Clock;
  readonly #log: Logger;

  private constructor(
    root: LogFile,
    build: LogFile,
    state: LogFile,
    output: LogFile,
    clock: Clock,
    log: Logger,
  ) {
    this.root = root;
    this.build = build;
    this.#state = state;
    this.#output = output;
    this.#clock = clock;
    this.#log = log;
  }

  /** Opens all four. */
  static async open(logs: TaskLogs, clock: Clock, log: Logger): Promise<StepLogs> {
    const root = await logs.open('root.log', 'watched');
    // People look for this one, whatever went wrong.
    const build = await logs.open('build.log', 'watched', 'rpmbuild has not run; root.log says why\n');
    const state = await logs.open('state.log', 'watched');
    return new StepLogs(root, build, state, await logs.open('mock_output.log', 'watched'), clock, log);
  }

  async step(step: string, at: 'start' | 'finish'): Promise<void> {
    const name = printable(step);
    const time = new Date(this.#clock.now())
      .toISOString()
      .replace('T', ' ')
      .replace('.', ',')
      .replace('Z', '');
    const word = at === 'start' ? 'Start' : 'Finish';
    await this.#state.write(`${time} - ${word}: ${name}\n`);
    await this.#output.write(`${word}: ${name}\n`);
    if (at === 'start') await this.root.write(`${time} - ${name}\n`);
  }

  took(step: string, stepMs: number, ranMs: number | null, firstOutputMs: number | null): void {
    this.#log.info({ step, stepMs, ranMs, ...(firstOutputMs !== null && { firstOutputMs }) }, 'step done');
  }
}

/**
 * Adds the logs the package manager keeps of itself to the task's, under the names that kojid gives them; `directory` is the
 * task's. Repeatable: what is there already is not added again.
 */
export async function addPackageManagerLogs(directory: string, logs: TaskLogs): Promise<void> {
  const place = join(directory, 'solve', 'logs');
  for (const name of await readdir(place).catch(() => [])) {
    if (!/^dnf5?[a-z.]*\.log$/.test(name) || logs.has(name)) continue;
    await logs.write(name, await readFile(join(place, name), 'utf8'), 'watched');
  }
}
