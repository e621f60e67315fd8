import { z } from 'zod';
import { defineTask, type TaskAdapter } from '../adapter.ts';

/** What tasks about the daemon itself may do to it. */
export interface HostControl {
  /** Stops the daemon as SIGTERM does, once the task that asks has been closed. */
  stopAfter(taskId: number): void;
}

/** Ends the daemon (`koji/tasks.py ShutdownTask`). */
export function shutdownTask(control: HostControl): TaskAdapter {
  return defineTask({
    methods: ['shutdown'],
    weight: 0,
    aboutThisHost: true,
    signature: { names: [], schema: z.looseObject({}) },

    async run(_params, { task }) {
      control.stopAfter(task.id);
      return null;
    },
  });
}
