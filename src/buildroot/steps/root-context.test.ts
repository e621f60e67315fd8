import { expect, it } from 'vitest';
import { openHostBench, TextLogs } from '../../../test/support/root-bench.ts';
import { silentLog } from '../../../test/support/silent-log.ts';
import type { RootStore } from '../../container/root-store.ts';
import { never } from '../../core/never.ts';
import { Waits } from '../../core/waits.ts';
import { noHistory } from '../../journal/history.ts';
import type { BuildrootHost } from '../host.ts';
import type { RootRequest } from '../plan/root-request.ts';
import { rootDraft } from './container-specs.ts';
import { RootContext, rootTask } from './root-context.ts';

it('leaves nothing behind that is still being made when the task ends', async () => {
  const { containers, directory, clock } = await openHostBench();
  const made = Promise.withResolvers<void>();
  const slow: Pick<RootStore, 'prepare'> = {
    async prepare(draft, signal) {
      await made.promise;
      return containers.roots.prepare(draft, signal);
    },
  };
  const host = {
    roots: slow,
    extraMounts: [],
    limits: { pids: 10 },
    labels: {},
    workerId: 'worker',
    log: silentLog,
    waits: new Waits(clock),
  };
  const request = {
    taskId: 5,
    buildrootId: 9,
    extra: {},
    image: 'i',
    directory: { absolute: directory, work: '.' },
  };
  const cleanup = new AsyncDisposableStack();
  // Only what creating one needs of them.
  const context = new RootContext(
    host as unknown as BuildrootHost,
    request as unknown as RootRequest,
    new TextLogs(),
    rootTask(host as unknown as BuildrootHost, 5, noHistory, cleanup),
  );
  const preparing = context.prepareRoot(rootDraft(context.host, context.request, 1, null), never);

  const ended = cleanup.disposeAsync();
  made.resolve();
  await preparing;
  await ended;

  expect(containers.calls.filter((call) => /^(prepare|remove) /.test(call))).toHaveLength(2);
});
