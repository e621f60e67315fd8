import { expect, it } from 'vitest';
import { openHostBench, TextLogs } from '../../../test/support/root-bench.ts';
import type { ContainerManager } from '../../container/manager.ts';
import { never } from '../../core/never.ts';
import { noHistory } from '../../journal/history.ts';
import type { BuildrootHost } from '../host.ts';
import type { RootRequest } from '../plan/root-request.ts';
import { rootContainer } from './container-specs.ts';
import { RootGround } from './step-runner.ts';

it('leaves no container behind that is still being made when the task ends', async () => {
  const { containers, directory } = await openHostBench();
  const made = Promise.withResolvers<void>();
  const slow: Pick<ContainerManager, 'create'> = {
    async create(spec, signal) {
      await made.promise;
      return containers.create(spec, signal);
    },
  };
  const host = { containers: slow, extraMounts: [], limits: { pids: 10 }, labels: {}, workerId: 'worker' };
  const request = {
    taskId: 5,
    buildrootId: 9,
    extra: {},
    image: 'i',
    directory: { absolute: directory, work: '.' },
  };
  const cleanup = new AsyncDisposableStack();
  // Only what creating one needs of them.
  const ground = new RootGround(
    host as unknown as BuildrootHost,
    request as unknown as RootRequest,
    new TextLogs(),
    noHistory,
    cleanup,
  );
  const spec = rootContainer(ground.host, { ...ground.request, network: 'none' }, 1, null);
  const creating = ground.create({ ...spec, hostname: 'host' }, never);

  const ended = cleanup.disposeAsync();
  made.resolve();
  await creating;
  await ended;

  expect(containers.calls.filter((call) => /^(create|remove) /.test(call))).toHaveLength(2);
});
