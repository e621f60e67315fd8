import { BuilderError } from '../../core/errors.ts';

/** There is nothing that could be compared, or no way to build it here. The message says what to do about it. */
export class CannotCompare extends BuilderError {
  constructor(message: string, options?: ErrorOptions) {
    super('cannot-compare', 'request', message, options);
  }
}
