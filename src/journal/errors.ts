import { BuilderError } from '../core/errors.ts';

/** A resumed task has taken another way than before: what was remembered is worth nothing, and the next try starts from the beginning. */
export class HistoryDiverged extends BuilderError {
  override readonly disposition = 'free';

  constructor(message: string, options?: ErrorOptions) {
    super('history-diverged', 'builder', message, options);
  }
}
