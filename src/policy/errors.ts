import { BuilderError } from '../core/errors.ts';

/** A tag's image settings that cannot be used; the message names the tag, the place in the JSON and what is allowed there. */
export class PolicyError extends BuilderError {
  constructor(tagName: string, problem: string, options?: ErrorOptions) {
    super('bad-image-policy', 'request', `tag ${tagName}: ${problem}`, options);
  }
}
