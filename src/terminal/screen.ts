import type { WriteStream } from 'node:tty';
import { printable } from '../core/printable.ts';
import { type Frame, renderFrame, seconds, type TaskRow } from './progress-view.ts';

/** Where the demo shows what happens. */
export interface Screen {
  /** Text that stays, as it is: what comes from others is made printable before. */
  print(text: string): void;
  show(frame: Frame): void;
  /** The last frame stays, in full. */
  finish(frame: Frame): void;
}

/** Draws each frame over the one before. */
export class TerminalScreen implements Screen {
  readonly #out: WriteStream;
  #drawn = 0;

  constructor(out: WriteStream) {
    this.#out = out;
  }

  print(text: string): void {
    this.#replace([]);
    this.#out.write(`${text}\n`);
  }

  show(frame: Frame): void {
    // A line that fills the last row would scroll what is to be drawn over out of reach.
    const size = { columns: this.#out.columns - 1, rows: this.#out.rows - 2 };
    this.#replace(renderFrame(frame, size));
  }

  finish(frame: Frame): void {
    const whole = { columns: this.#out.columns - 1, rows: Number.POSITIVE_INFINITY };
    this.#replace(renderFrame({ ...frame, tail: null, note: null }, whole));
    this.#drawn = 0;
  }

  #replace(lines: readonly string[]): void {
    const back = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A\r`;
    this.#out.write(`${back}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    this.#drawn = lines.length;
  }
}

/** A line for each thing that has changed: for files and pipes. */
export class PlainScreen implements Screen {
  readonly #out: NodeJS.WritableStream;
  readonly #said = new Set<string>();
  #note: string | null = null;

  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
  }

  print(text: string): void {
    this.#out.write(`${text}\n`);
  }

  show({ tasks, note }: Frame): void {
    for (const task of tasks) if (task.elapsedMs !== null) this.#once(task, 'open', 'open');
    // What is below in the tree has ended before what is above it.
    for (const task of tasks.toReversed()) {
      task.phases.forEach(({ name, startMs, endMs }, index) => {
        if (endMs !== null) this.#once(task, `phase ${index}`, `${name}, ${seconds(endMs - startMs)}`);
      });
      if (isEnd(task)) this.#once(task, task.state, `${task.state}, ${seconds(task.elapsedMs ?? 0)}`);
    }
    if (note !== null && note !== this.#note) this.print(`  ${printable(note)}`);
    this.#note = note;
  }

  finish(frame: Frame): void {
    this.show(frame);
  }

  #once({ id, method, subject }: TaskRow, key: string, what: string): void {
    if (this.#said.has(`${id} ${key}`)) return;
    this.#said.add(`${id} ${key}`);
    this.print(printable(`  ${method} ${subject}: ${what}`));
  }
}

function isEnd({ state }: TaskRow): boolean {
  return ['closed', 'failed', 'canceled'].includes(state);
}
