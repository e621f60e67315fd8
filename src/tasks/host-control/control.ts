/** What tasks about the daemon itself may do to it. */
export interface HostControl {
  /** Stops the daemon as SIGTERM does, once the task that asks has been closed. */
  stopAfter(taskId: number): void;
  /** Restarts the daemon once the task that asks has been closed. */
  restartAfter(taskId: number): Promise<void>;
  /** Whether the daemon was restarted since the task asked for it; null when nothing is known of that. */
  hasRestartedSince(taskId: number): Promise<boolean | null>;
}
