import { behaviourOf } from '../../src/container/fake/behaviour.ts';
import { FakeRuntime } from '../../src/container/fake/fake-runtime.ts';
import type { Clock } from '../../src/core/clock.ts';
import {
  type ContractBackend,
  type ContractProcess,
  describeContainerBackend,
} from './container-backend.contract.ts';

/** Every sleep is over as soon as nothing else is to be done. */
const clock: Clock = {
  now: () => 0,
  uptime: () => 0,
  async sleep(_ms, signal) {
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  },
};

describeContainerBackend('fake', async (): Promise<ContractBackend> => {
  const image = 'localhost/contract:1';
  const processes = new Map<string, ContractProcess>();
  const runtime = new FakeRuntime({
    clock,
    images: { [image]: { id: 'i1', digest: `sha256:${'0'.repeat(64)}`, arch: 'x86_64' } },
    behave(spec) {
      const { exitCode, output, files, until, cannotStart } = processes.get(spec.name) ?? {};
      return {
        ...behaviourOf(spec),
        ...(exitCode === undefined ? {} : { exitCode }),
        ...(output === undefined ? {} : { output }),
        ...(until === undefined ? {} : { runMs: Number.POSITIVE_INFINITY, ignoresTerm: until === 'killed' }),
        ...(cannotStart === true ? { startFail: 'no such file' } : {}),
        files: Object.fromEntries(
          Object.entries(files ?? {}).map(([path, text]) => [path, Buffer.from(text)]),
        ),
      };
    },
  });
  return {
    ports: runtime.ports,
    image,
    spec(process) {
      const name = `contract-${processes.size + 1}`;
      processes.set(name, process);
      return {
        name,
        root: { kind: 'image', image },
        command: ['/bin/main'],
        env: {},
        workdir: '/',
        user: { uid: 0, gid: 0 },
        capabilities: [],
        isolation: 'plain',
        network: 'none',
        hostname: 'builder.example.com',
        mounts: [],
        limits: { pids: 100 },
        owner: { workerId: 'contract', taskId: 1, phase: 'build', attempt: 1 },
        labels: {},
      };
    },
    async [Symbol.asyncDispose]() {
      return;
    },
  };
});
