import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ImageStore } from '../../src/container/image-store.ts';
import { reapOrphans } from '../../src/container/reaper.ts';
import type { ContainerSpec, Isolation, ResourceLimits } from '../../src/container/spec.ts';
import type { Container, StepRuntime } from '../../src/container/step-runtime.ts';
import { createLogger } from '../../src/core/logger.ts';
import { never } from '../../src/core/never.ts';
import type { ContractBackend, ContractProcess } from './container-backend.contract.ts';

const weird = Buffer.concat([
  Buffer.from('first line\n\n\nCR\rCRLF\r\nNUL\0 latin1 \xe9\xff\n', 'latin1'),
  Buffer.from('2026-01-01T00:00:00.000000000+00:00 stdout F not a header\n'),
  Buffer.alloc(3000, 'long '),
  Buffer.from('\nno newline at the end'),
]);

/** What every back end of `StepRuntime` has to do. */
export function describeStepRuntime(opened: () => ContractBackend): void {
  describe('StepRuntime', () => {
    let backend: ContractBackend;
    let runtime: StepRuntime;
    let images: ImageStore;
    const containers: Container[] = [];

    async function create(process: ContractProcess, change: Partial<ContainerSpec> = {}): Promise<Container> {
      const container = await runtime.create({ ...backend.spec(process), ...change }, never);
      containers.push(container);
      return container;
    }

    async function started(
      process: ContractProcess,
      change: Partial<ContainerSpec> = {},
    ): Promise<Container> {
      const container = await create(process, change);
      await container.start(never);
      return container;
    }

    beforeAll(async () => {
      backend = opened();
      runtime = backend.ports.runtime;
      images = backend.ports.images;
      await images.ensure(backend.image, 'never', never);
    });

    afterEach(async () => {
      for (const container of containers.splice(0)) await container[Symbol.asyncDispose]();
      expect(await runtime.list('contract', never)).toEqual([]);
    });

    it('says who it is', async () => {
      const info = await runtime.probe(never);

      expect(info.name).toBe(runtime.backend);
      expect(info.version).not.toBe('');
      expect(info.isolations).toContain('plain');
    });

    it.each([0, 1, 42, 255])('gives exit code %i as a value, as often as asked', async (exitCode) => {
      const container = await started({ exitCode });

      expect(await container.wait(never)).toMatchObject({ code: exitCode, oomKilled: false });
      expect(await container.wait(never)).toMatchObject({ code: exitCode, oomKilled: false });
    });

    it('delivers output byte by byte, and again', async () => {
      const container = await started({ output: weird });

      expect((await outputOf(container)).equals(weird)).toBe(true);
      expect((await outputOf(container)).equals(weird)).toBe(true);
    });

    it('does not go on with less output than there was', async () => {
      const container = await started({ output: weird });
      await container.wait(never);

      await expect(outputOf(container, weird.length + 9)).rejects.toMatchObject({
        code: 'no-such-container',
      });
    });

    it('does not go on with other output than there was', async () => {
      const container = await started({ output: weird });
      await container.wait(never);
      const before = weird.subarray(0, 11);

      expect((await outputOf(container, 11, before.subarray(-5))).equals(weird.subarray(11))).toBe(true);
      await expect(outputOf(container, 11, Buffer.from('other'))).rejects.toMatchObject({
        code: 'no-such-container',
      });
    });

    it.each([0, 1, 11, weird.length - 1, weird.length])('delivers output from byte %i on', async (from) => {
      const container = await started({ output: weird });
      await container.wait(never);

      expect((await outputOf(container, from)).equals(weird.subarray(from))).toBe(true);
    });

    it('ends the output of a process that wrote nothing', async () => {
      const container = await started({});

      expect(await outputOf(container)).toHaveLength(0);
    });

    it('follows the output of a running container until its end', async () => {
      const container = await started({ output: Buffer.from('ready\n'), until: 'asked' });
      const output = container.output(never)[Symbol.asyncIterator]();

      const first = await output.next();
      const rest = output.next();
      await container.stop(10_000);

      expect(Buffer.from(first.value).toString()).toBe('ready\n');
      expect(await rest).toEqual({ done: true, value: undefined });
    });

    it('rejects the output with the reason of an aborted signal', async () => {
      const container = await started({ output: Buffer.from('ready\n'), until: 'asked' });
      const abort = new AbortController();
      const output = container.output(abort.signal)[Symbol.asyncIterator]();
      await output.next();

      const rest = output.next();
      abort.abort(new Error('enough'));

      await expect(rest).rejects.toThrow('enough');
    });

    it('says so when the command cannot be run', async () => {
      const container = await create({ cannotStart: true });

      await expect(container.start(never)).rejects.toMatchObject({ code: 'start-failed' });
    });

    it('lets the container see the end that it was asked for', async () => {
      const container = await started({ output: Buffer.from('ready\n'), until: 'asked' });
      await firstOutput(container);

      await container.stop(10_000);

      expect(await container.wait(never)).toMatchObject({ code: 143 });
    });

    it('kills what does not end when asked', async () => {
      const container = await started({ output: Buffer.from('ready\n'), until: 'killed' });
      await firstOutput(container);

      await container.stop(30);

      expect(await container.wait(never)).toMatchObject({ code: 137 });
    });

    it('may be asked to stop what has ended or never ran', async () => {
      const ended = await started({ exitCode: 3 });
      await ended.wait(never);
      const fresh = await create({});

      await ended.stop(1000);
      await fresh.stop(1000);

      expect(await ended.wait(never)).toMatchObject({ code: 3 });
    });

    it('gives a wait up with the reason of its signal, and only that one', async () => {
      const container = await started({ output: Buffer.from('ready\n'), until: 'asked' });
      await firstOutput(container);
      const abort = new AbortController();
      const given = container.wait(abort.signal);
      const other = container.wait(never);

      abort.abort(new Error('enough'));

      await expect(given).rejects.toThrow('enough');
      await container.stop(10_000);
      expect(await other).toMatchObject({ code: 143 });
    });

    it.each([
      ['log', { logBytes: 10_000 }, { output: Buffer.alloc(20_000, 'much text\n') }],
      ['disk', { diskBytes: 50_000 }, { files: { '/out/big': 'x'.repeat(100_000) } }],
      ['idle', { idleMs: 300 }, { output: Buffer.from('last word\n') }],
    ] satisfies readonly (readonly [string, Partial<ResourceLimits>, ContractProcess])[])(
      'kills what runs into the limit of %s, says so, and keeps what it wrote',
      async (limit, limits, process) => {
        const container = await create({ ...process, until: 'killed' }, { limits: { pids: 100, ...limits } });
        await container.start(never);

        const { code, ranInto } = await container.wait(never);

        expect(code).toBe(137);
        const [allowed] = Object.values(limits);
        expect(ranInto).toEqual({ limit, allowed, peak: expect.any(Number) });
        expect(ranInto?.peak).toBeGreaterThanOrEqual(allowed ?? Number.POSITIVE_INFINITY);
        expect((await outputOf(container)).toString()).toBe(
          'output' in process ? process.output.toString() : '',
        );
      },
    );

    it('leaves alone what stays within its limits', async () => {
      const process = {
        output: Buffer.from('text\n'),
        files: { '/out/small': 'x'.repeat(1000) },
        exitCode: 3,
      };
      const limits = { pids: 100, logBytes: 100_000, diskBytes: 1_000_000, idleMs: 60_000 };
      const container = await create(process, { limits });
      await container.start(never);

      const status = await container.wait(never);

      expect(status).not.toHaveProperty('ranInto');
      expect(status.code).toBe(3);
    });

    it('copies a file out of a container that has ended', async () => {
      const container = await started({ files: { '/out/result.txt': 'made here' } });
      await container.wait(never);

      expect(await copied(container, '/out/result.txt')).toEqual({ 'result.txt': 'made here' });
    });

    it('copies a directory with its own name', async () => {
      const container = await started({ files: { '/out/a': 'A', '/out/sub/b': 'B' } });
      await container.wait(never);

      expect(await copied(container, '/out')).toEqual({ 'out/a': 'A', 'out/sub/b': 'B' });
    });

    it('has its own word for a path that is not there', async () => {
      const container = await started({ files: { '/out/a': 'A' } });
      await container.wait(never);

      await expect(container.copyOut('/out/b', never)).rejects.toMatchObject({ code: 'no-such-path' });
    });

    it('lists the containers of one worker with their owners and states', async () => {
      const owner = { workerId: 'contract', taskId: 12, phase: 'build', attempt: 2, buildrootId: 7 };
      const fresh = await create({}, { owner });
      const running = await started({ output: Buffer.from('ready\n'), until: 'asked' });
      const ended = await started({});
      await ended.wait(never);

      const listed = await runtime.list('contract', never);

      const states = new Map(listed.map((found) => [found.id, found.state]));
      expect(states.get(fresh.id)).toBe('created');
      expect(states.get(running.id)).toBe('running');
      expect(states.get(ended.id)).toBe('exited');
      expect(listed.find((found) => found.id === fresh.id)).toMatchObject({ name: fresh.name, owner });
      expect(await runtime.list('contract-of-another', never)).toEqual([]);
    });

    it('removes a container by id, and again', async () => {
      const running = await started({ until: 'killed' });

      await runtime.remove(running.id);
      await runtime.remove(running.id);

      expect(await runtime.list('contract', never)).toEqual([]);
    });

    it('removes a running container when it is disposed, and again', async () => {
      const running = await started({ until: 'killed' });

      await Promise.all([running[Symbol.asyncDispose](), running[Symbol.asyncDispose]()]);
      await running[Symbol.asyncDispose]();

      expect(await runtime.list('contract', never)).toEqual([]);
    });

    it('ends a reading of output when the container is removed', async () => {
      const container = await started({ output: Buffer.from('ready\n'), until: 'killed' });
      const output = container.output(never)[Symbol.asyncIterator]();
      await output.next();

      const rest = output.next();
      await container[Symbol.asyncDispose]();

      expect(await rest).toEqual({ done: true, value: undefined });
    });

    it('creates nothing for a signal that is aborted before or meanwhile', async () => {
      const reason = new Error('enough');
      const meanwhile = new AbortController();

      const before = runtime.create(backend.spec({}), AbortSignal.abort(reason));
      await expect(before).rejects.toBe(reason);
      const during = runtime.create(backend.spec({}), meanwhile.signal).then(
        (container) => container[Symbol.asyncDispose](),
        (error: unknown) => expect(error).toBe(reason),
      );
      meanwhile.abort(reason);
      await during;

      expect(await runtime.list('contract', never)).toEqual([]);
    });

    it.each([
      ['a name that no engine takes', { name: '../evil' }],
      ['a relative command', { command: ['sh'] }],
      ['no command', { command: [] }],
      ['a relative workdir', { workdir: 'tmp' }],
      ['a mount on /', { mounts: [{ kind: 'scratch', target: '/' }] }],
      [
        'a mount beside the work area',
        { mounts: [{ kind: 'work', path: '../x', target: '/x', readOnly: true }] },
      ],
      [
        'an absolute path of the work area',
        { mounts: [{ kind: 'work', path: '/etc', target: '/x', readOnly: true }] },
      ],
      // What is not known to the compiler either: a record on the disk may hold it.
      ['an isolation that nobody knows', { isolation: 'elsewhere' as Isolation }],
      ['a path outside the hub tree', { mounts: [{ kind: 'koji', path: 'a/../../etc', target: '/x' }] }],
    ] satisfies readonly (readonly [string, Partial<ContainerSpec>])[])(
      'refuses %s',
      async (_what, change) => {
        const created = runtime.create({ ...backend.spec({}), ...change }, never);

        await expect(created).rejects.toMatchObject({ code: 'bad-spec' });
      },
    );

    it('refuses a name that is in use', async () => {
      const { name } = await create({});

      await expect(create({}, { name })).rejects.toMatchObject({ code: 'bad-spec' });
    });

    it('refuses to visit the root of a container that runs or is not there', async () => {
      const running = await started({ output: Buffer.from('ready\n'), until: 'asked' });
      await firstOutput(running);
      const visit = (id: string) =>
        create({}, { root: { kind: 'visit', root: { kind: 'failed', id }, stays: [] } });

      await expect(visit(running.id)).rejects.toMatchObject({ code: 'bad-spec' });
      await expect(visit('f00d'.repeat(16))).rejects.toMatchObject({ code: 'no-such-container' });
    });

    it('is reaped of what no running task owns', async () => {
      const kept = await create({});
      const stray = await started({ until: 'killed' });
      const logger = createLogger('silent');

      const report = await reapOrphans(runtime, 'contract', ({ id }) => id === kept.id, logger, never);

      expect(report.removed.map(({ id }) => id)).toEqual([stray.id]);
      expect(report.kept.map(({ id }) => id)).toEqual([kept.id]);
      expect(report.failed).toEqual([]);
      expect((await runtime.list('contract', never)).map(({ id }) => id)).toEqual([kept.id]);
    });

    // Last: the fake counts these as misuse.
    it('throws for calls in an order that is a bug', async () => {
      const container = await create({ output: Buffer.from('ready\n'), until: 'asked' });

      await expect(container.wait(never)).rejects.toThrow(/not started/);
      await container.start(never);
      await expect(container.start(never)).rejects.toThrow(/started before/);
      await expect(container.copyOut('/etc', never)).rejects.toThrow(/run/);
    });
  });
}

/** All output of a container, from a byte on, until it has ended. */
export async function outputOf(container: Container, from?: number, end?: Uint8Array): Promise<Buffer> {
  return buffer(container.output(never, from, end));
}

async function firstOutput(container: Container): Promise<void> {
  for await (const _chunk of container.output(never)) return;
}

/** The regular files of a copy, by name. */
export async function copied(container: Container, path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const archive = extract();
  (await container.copyOut(path, never)).pipe(archive);
  for await (const entry of archive) {
    const content = (await buffer(entry)).toString();
    if (entry.header.type === 'file') files[entry.header.name] = content;
  }
  return files;
}
