import { BuilderError } from '../core/errors.ts';

/** A resumed task has taken another way than before: what was remembered is worth nothing. */
export class HistoryDiverged extends BuilderError {
  constructor(message: string, options?: ErrorOptions) {
    super('history-diverged', 'builder', message, options);
  }
}
