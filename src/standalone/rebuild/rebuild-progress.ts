import type { RootProgress } from '../../buildroot/steps/root-logs.ts';
import { packageStepTitle } from '../../buildroot/steps/step-titles.ts';
import type { Clock } from '../../core/clock.ts';
import type { Phase } from '../../terminal/phases.ts';
import { type Frame, lastLines, type TaskRow } from '../../terminal/progress-view.ts';
import type { BuildWatcher } from '../build-locally.ts';

const tailBytes = 8192;
const tailLines = 6;

/** Puts together what is to be seen of one build: its phases, what is being fetched, and the end of the log that grows. */
export class RebuildProgress implements BuildWatcher {
  readonly #subject: string;
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #phases: Phase[] = [];
  #state: 'open' | 'closed' | 'failed' | 'canceled' = 'open';
  #endMs: number | null = null;
  #note: string | null = null;
  #tail = { title: 'root.log', text: '' };

  /** `subject`: the source package and what it is built for. */
  constructor(subject: string, clock: Clock) {
    this.#subject = subject;
    this.#clock = clock;
    this.#startMs = clock.uptime();
  }

  step(name: string, at: 'start' | 'finish'): void {
    const now = this.#clock.uptime();
    this.#note = null;
    if (at === 'start') this.#phases.push({ name, startMs: now, endMs: null });
    else this.#endPhase(name, now);
  }

  output(log: 'root' | 'build', bytes: Uint8Array | string): void {
    const title = `${log}.log`;
    const before = this.#tail.title === title ? this.#tail.text : '';
    const text = before + (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8'));
    this.#tail = { title, text: text.slice(-tailBytes) };
  }

  progress(news: RootProgress): void {
    const now = this.#clock.uptime();
    if (news.kind === 'from-snapshot') {
      const name = `${news.title}: ${news.packages} packages, prepared before`;
      this.#phases.push({ name, startMs: now, endMs: now });
      return;
    }
    const name = packageStepTitle('fetch', news.title);
    if (!this.#phases.some((phase) => phase.name === name && phase.endMs === null)) this.step(name, 'start');
    this.#note = `${news.files} of ${news.ofFiles} packages fetched`;
    if (news.files === news.ofFiles) this.#endPhase(name, now);
  }

  /** Nothing comes any more. */
  end(state: 'closed' | 'failed' | 'canceled'): void {
    this.#state = state;
    this.#endMs = this.#clock.uptime();
  }

  get frame(): Frame {
    const nowMs = this.#clock.uptime();
    const row: TaskRow = {
      id: 0,
      depth: 0,
      method: 'rebuild',
      subject: this.#subject,
      state: this.#state,
      elapsedMs: (this.#endMs ?? nowMs) - this.#startMs,
      phases: this.#phases,
    };
    const { title, text } = this.#tail;
    const tail = this.#note === null ? { title, lines: lastLines(text, tailLines) } : null;
    return { nowMs, tasks: [row], tail, note: this.#note };
  }

  #endPhase(name: string, endMs: number): void {
    const index = this.#phases.findLastIndex((phase) => phase.name === name);
    const phase = this.#phases[index];
    if (phase !== undefined) this.#phases[index] = { ...phase, endMs };
  }
}
