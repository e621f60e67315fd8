import { BuilderError } from '../core/errors.ts';

/** A resumed task has taken another way than before: what was remembered is worth nothing. */
export class HistoryDiverged extends BuilderError {
  constructor(key: string) {
    super(
      'history-diverged',
      'builder',
      `after the restart the task came to "${key}" in another way than before`,
    );
  }
}
