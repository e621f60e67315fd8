/** Where the bytes of a log go. Writes of one caller arrive in order; awaiting them is the back-pressure. */
export interface LogSink {
  write(bytes: Uint8Array | string): Promise<void>;
}
