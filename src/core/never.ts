/** A signal that nobody aborts: for work that is to be done whatever comes. */
export const never: AbortSignal = new AbortController().signal;
