import { z } from 'zod';
import { defineTask, type TaskAdapter } from '../adapter.ts';
import type { HostControl } from './control.ts';

export { restartHosts, restartTask, restartVerifyTask } from './restart.ts';

/** Ends the daemon (`koji/tasks.py ShutdownTask`). */
export function shutdownTask(control: HostControl): TaskAdapter {
  return defineTask({
    methods: ['shutdown'],
    weight: 0,
    alwaysAccepted: true,
    signature: { names: [], schema: z.looseObject({}) },

    async run(_params, { task }) {
      control.stopAfter(task.id);
      return null;
    },
  });
}
