import { z } from 'zod';
import { faultCodes } from '../../core/koji-faults.ts';
import { taskStates } from '../../hub/api/schema.ts';
import { defineTask, type TaskAdapter, type TaskContext } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { optional } from '../params.ts';
import type { HostControl } from './control.ts';

const Host = z.looseObject({ id: z.int() });

/** Restarts the daemon (`koji/tasks.py RestartTask`); running tasks continue, or are waited for, as configured. */
export function restartTask(control: HostControl): TaskAdapter {
  const adapter = defineTask({
    methods: ['restart'],
    weight: 0.1,
    alwaysAccepted: true,
    signature: { names: ['host'], schema: z.object({ host: Host }) },

    async run({ host }, context) {
      await requireThisHost(host, context);
      await control.restartAfter(context.task.id);
      return 'graceful restart initiated';
    },
  });
  return adapter as TaskAdapter;
}

/** Fails unless the daemon was restarted since the other task asked for it (`koji/tasks.py RestartVerifyTask`). */
export function restartVerifyTask(control: HostControl): TaskAdapter {
  const adapter = defineTask({
    methods: ['restartVerify'],
    weight: 0.1,
    alwaysAccepted: true,
    signature: { names: ['task_id', 'host'], schema: z.object({ task_id: z.int(), host: Host }) },

    async run({ task_id: asking, host }, context) {
      const { hub, signal } = context;
      const state = (await hub.host.taskInfo(asking, { signal }))?.state ?? null;
      if (state !== taskStates.closed) {
        const [name = 'missing'] = Object.entries(taskStates).find(([, code]) => code === state) ?? [];
        throw new TaskFault(faultCodes.generic, 'request', `Stage one restart task is ${name.toUpperCase()}`);
      }
      await requireThisHost(host, context);
      if ((await control.hasRestartedSince(asking)) !== true)
        throw new TaskFault(
          faultCodes.generic,
          'builder',
          `Restart failed - this builder was not restarted since task ${asking}`,
        );
      return null;
    },
  });
  return adapter as TaskAdapter;
}

/** How long hosts may take when the request does not say, in seconds. */
const patienceSeconds = 24 * 3600;

/** Has a set of hosts restarted, and sees whether they were (`koji/tasks.py RestartHostsTask`). */
export const restartHosts = defineTask({
  methods: ['restartHosts'],
  weight: 0.1,
  signature: {
    names: ['options'],
    schema: z.object({
      options: optional(
        z.looseObject({
          channel: optional(z.union([z.int(), z.string()])),
          arches: optional(z.union([z.string(), z.array(z.string())])),
          timeout: optional(z.number()),
        }),
      ),
    }),
  },

  async run({ options }, { hub, signal, subtasks, clock, task }) {
    const wanted = { channel: options?.channel ?? null, arches: options?.arches ?? null };
    const hosts = await hub.host.enabledHosts(wanted, signal);
    if (hosts.length === 0) throw new TaskFault(faultCodes.generic, 'request', 'No matching hosts');
    const children: number[] = [];
    for (const host of hosts) {
      // Given to the host itself, whatever its channels.
      const assign = host.id;
      const label = (word: string) => `${word} ${host.id}`;
      const asking = await subtasks.start({
        method: 'restart',
        args: [host.row],
        label: label('restart'),
        assign,
      });
      const verifying = await subtasks.start({
        method: 'restartVerify',
        args: [asking, host.row],
        label: label('sleep'),
        assign,
      });
      children.push(asking, verifying);
    }
    const over = new AbortController();
    const seconds = options?.timeout ?? patienceSeconds;
    const late = clock
      .sleep(seconds * 1000, AbortSignal.any([signal, over.signal]))
      .then(() => 'late' as const);
    late.catch(() => undefined);
    const all = subtasks.wait(children, { all: true });
    all.catch(() => undefined);
    try {
      if ((await Promise.race([all, late])) === 'late') {
        await hub.subtasks.cancelTaskChildren(task.id, signal);
        throw new TaskFault(
          faultCodes.generic,
          'external',
          `Subtasks timed out after ${seconds.toFixed(1)} seconds`,
        );
      }
    } finally {
      over.abort();
    }
    return null;
  },
});

async function requireThisHost({ id }: z.infer<typeof Host>, { hub, signal }: TaskContext): Promise<void> {
  if (id !== (await hub.host.hostId(signal)))
    throw new TaskFault(faultCodes.generic, 'request', 'Host mismatch');
}
