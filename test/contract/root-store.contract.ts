import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Draft, DraftSpec, RootName, RootStore } from '../../src/container/root-store.ts';
import type { ContainerSpec, DraftRoot, KeptRoot, Mount } from '../../src/container/spec.ts';
import type { Container, StepRuntime } from '../../src/container/step-runtime.ts';
import { never } from '../../src/core/never.ts';
import type { ContractBackend, ContractProcess } from './container-backend.contract.ts';
import { copied } from './step-runtime.contract.ts';

const area = '/srv/contract';
const nameOf = (digit: string): RootName => ({ key: digit.repeat(64), area });

/** What the `RootStore` of every back end has to do, together with the containers that fill and use its roots. */
export function describeRootStore(opened: () => ContractBackend): void {
  describe('RootStore', () => {
    let backend: ContractBackend;
    let roots: RootStore;
    let runtime: StepRuntime;
    const used: AsyncDisposable[] = [];
    const names: RootName[] = [];
    let drafts = 0;

    beforeAll(async () => {
      backend = opened();
      ({ roots, runtime } = backend.ports);
      await backend.ports.images.ensure(backend.image, 'never', never);
    });

    afterEach(async () => {
      for (const one of used.splice(0).toReversed()) await one[Symbol.asyncDispose]();
      // Those that were made on others go first.
      for (const name of names.splice(0).toReversed()) expect(await roots.remove(name)).toBe(true);
      expect(await runtime.list('contract', never)).toEqual([]);
      expect(await own()).toEqual([]);
    });

    async function own() {
      return (await roots.list(never)).filter(({ name }) => name.area === area);
    }

    function draftSpec(parent: KeptRoot | null = null): DraftSpec {
      drafts += 1;
      const owner = { workerId: 'contract', taskId: 1, phase: 'root', attempt: drafts };
      return { name: `contract-draft-${process.pid}-${drafts}`, parent, owner, labels: { a: 'b' } };
    }

    async function prepare(parent: KeptRoot | null = null): Promise<Draft> {
      const draft = await roots.prepare(draftSpec(parent), never);
      used.push(draft);
      return draft;
    }

    async function created(
      process: ContractProcess,
      change: Partial<ContainerSpec> = {},
    ): Promise<Container> {
      const container = await runtime.create({ ...backend.spec(process), ...change }, never);
      used.push(container);
      return container;
    }

    /** Runs a container to its end. */
    async function ran(process: ContractProcess, change: Partial<ContainerSpec> = {}): Promise<Container> {
      const container = await created(process, change);
      await container.start(never);
      expect(await container.wait(never)).toMatchObject({ code: 0 });
      return container;
    }

    const mounted = (root: DraftRoot): Mount => ({
      kind: 'root',
      root,
      target: '/mnt/root',
      access: 'write',
    });

    /** A container's change by which it runs in a layer on the root. */
    const layerOn = (on: KeptRoot, after?: string): Partial<ContainerSpec> => ({
      root: { kind: 'layer', on, ...(after !== undefined && { after }) },
    });

    /** A root by that name with a runnable system in it and these files besides. */
    async function keep(
      name: RootName,
      files: Readonly<Record<string, string>>,
      parent: KeptRoot | null = null,
    ): Promise<KeptRoot> {
      const draft = await prepare(parent);
      const inside = Object.entries(files).map(([path, text]) => [`/mnt/root${path}`, text]);
      const process = {
        files: Object.fromEntries(inside),
        system: parent === null ? '/mnt/root' : undefined,
      };
      await (await ran(process, { mounts: [mounted(draft.root)] }))[Symbol.asyncDispose]();
      const { root } = await roots.commit(draft.root, name, never);
      if (!names.some(({ key }) => key === name.key)) names.push(name);
      await draft[Symbol.asyncDispose]();
      return root;
    }

    it('knows nothing of a name that was not committed, and removes it all the same', async () => {
      expect(await roots.find(nameOf('a'), never)).toBeNull();
      expect(await roots.remove(nameOf('a'))).toBe(true);
    });

    it('makes a root of a draft, with all that steps have put into it, and of the draft nothing', async () => {
      const name = nameOf('a');
      const draft = await prepare();
      const files = { '/mnt/root/out/a': 'A', '/mnt/root/out/sub/b': 'B' };
      await ran({ files, system: '/mnt/root' }, { mounts: [mounted(draft.root)] });

      const { id, root, bytes } = await roots.commit(draft.root, name, never);

      names.push(name);
      expect(bytes).toBeGreaterThan(1);
      await expect(roots.commit(draft.root, name, never)).rejects.toMatchObject({
        code: 'no-such-container',
      });
      await draft[Symbol.asyncDispose]();
      expect(await roots.find(name, never)).toMatchObject({ id, root });
      expect(await own()).toEqual([{ id, name, root, createdMs: expect.any(Number) }]);
      const user = await ran({ files: { '/out/c': 'C' } }, layerOn(root));
      expect(await copied(user, '/out')).toEqual({ 'out/a': 'A', 'out/sub/b': 'B', 'out/c': 'C' });
    });

    it('keeps from a root what is written to a layer on it', async () => {
      const root = await keep(nameOf('a'), { '/out/a': 'A' });
      await ran({ files: { '/out/b': 'B' } }, layerOn(root));

      expect(await copied(await ran({}, layerOn(root)), '/out')).toEqual({ 'out/a': 'A' });
    });

    it('makes a root on another one, which does not change, and stays whole when that is removed', async () => {
      const first = nameOf('a');
      const parent = await keep(first, { '/out/a': 'A' });
      const root = await keep(nameOf('b'), { '/out/b': 'B' }, parent);
      const user = await ran({}, layerOn(parent));
      expect(await copied(user, '/out')).toEqual({ 'out/a': 'A' });
      await user[Symbol.asyncDispose]();

      await roots.remove(first);

      expect(await copied(await ran({}, layerOn(root)), '/out')).toEqual({ 'out/a': 'A', 'out/b': 'B' });
    });

    it('removes no root that a container has, or a draft', async () => {
      const name = nameOf('a');
      const root = await keep(name, {});
      const user = await created({}, layerOn(root));
      expect(await roots.remove(name)).toBe(false);
      await user[Symbol.asyncDispose]();
      const draft = await prepare(root);
      expect(await roots.remove(name)).toBe(false);
      await draft[Symbol.asyncDispose]();

      expect(await roots.remove(name)).toBe(true);

      expect(await roots.remove(name)).toBe(true);
      expect(await roots.find(name, never)).toBeNull();
    });

    it('replaces a root of that name, which those who have it keep', async () => {
      const name = nameOf('a');
      const before = await keep(name, { '/out/one': 'one' });
      const old = await roots.find(name, never);
      const user = await created({}, layerOn(before));
      const after = await keep(name, { '/out/two': 'two' });
      const other = await created({}, layerOn(after));

      expect(await copied(user, '/out')).toEqual({ 'out/one': 'one' });
      expect(await copied(other, '/out')).toEqual({ 'out/two': 'two' });
      expect((await roots.find(name, never))?.id).not.toBe(old?.id);
      for (const one of used.splice(0).toReversed()) await one[Symbol.asyncDispose]();
      expect(await roots.remove({ id: old?.id ?? '' })).toBe(true);
    });

    it('mounts a copy of a kept root, which is the same afterwards and free when the container is gone', async () => {
      const name = nameOf('a');
      const root = await keep(name, { '/out/a': 'A' });
      const mount: Mount = { kind: 'root', root, target: '/mnt/root', access: 'copy' };

      const reader = await ran({ files: { '/mnt/root/out/b': 'B' } }, { mounts: [mount] });

      expect(await roots.remove(name)).toBe(false);
      await reader[Symbol.asyncDispose]();
      expect(await runtime.list('contract', never)).toEqual([]);
      expect(await copied(await ran({}, layerOn(root)), '/out')).toEqual({ 'out/a': 'A' });
    });

    it('lets the next run take over a container with a copy of a kept root, or leaves nothing of it', async () => {
      const root = await keep(nameOf('a'), {});
      const mounts: readonly Mount[] = [{ kind: 'root', root, target: '/mnt/root', access: 'copy' }];
      const spec = { ...backend.spec({}), mounts };
      const made = await runtime.create(spec, never);
      const adopted = await runtime.recover(spec, never);
      if (adopted === null) throw new Error('it is not there');
      await adopted.start(never);
      expect(await adopted.wait(never)).toMatchObject({ code: 0 });
      await adopted[Symbol.asyncDispose]();
      expect(await runtime.list('contract', never)).toEqual([]);
      await made[Symbol.asyncDispose]();

      const lost = { ...backend.spec({}), mounts };
      await runtime.remove((await runtime.create(lost, never)).id);

      expect(await runtime.recover(lost, never)).toBeNull();
      expect(await runtime.list('contract', never)).toEqual([]);
      await (await runtime.create(lost, never))[Symbol.asyncDispose]();
    });

    it('has nothing to run on where a root was removed', async () => {
      const name = nameOf('a');
      const root = await keep(name, {});
      expect(await roots.remove(name)).toBe(true);
      const mount: Mount = { kind: 'root', root, target: '/mnt/root', access: 'copy' };
      const gone = { code: 'no-such-container', message: `root ${root.id} was removed while it was needed` };

      await expect(created({}, layerOn(root))).rejects.toMatchObject(gone);
      await expect(created({}, { mounts: [mount] })).rejects.toMatchObject(gone);
      await expect(prepare(root)).rejects.toMatchObject(gone);
    });

    it("mounts the kernel's views on a draft, but only on directories that it has", async () => {
      const kept = await keep(nameOf('a'), {});
      const kernel = (target: string): Mount => ({ kind: 'kernel', fileSystem: 'proc', target });

      for (const { root } of [await prepare(), await prepare(kept)]) {
        const refused = created({}, { mounts: [mounted(root), kernel('/mnt/root/elsewhere')] });
        await expect(refused).rejects.toMatchObject({ code: 'bad-spec' });
        const sysfs: Mount = { kind: 'kernel', fileSystem: 'sysfs', target: '/mnt/root/sys' };
        const user = await ran({}, { mounts: [mounted(root), kernel('/mnt/root/proc'), sysfs] });
        await user[Symbol.asyncDispose]();
      }
    });

    it('gives the layer of a container that has ended to another one, on another root', async () => {
      const less = await keep(nameOf('a'), {});
      const more = await keep(nameOf('b'), { '/out/package': 'P' }, less);
      const first = await ran({ files: { '/out/a': 'A' } }, layerOn(less));

      const second = await ran({ files: { '/out/b': 'B' } }, layerOn(more, first.id));

      expect(await copied(second, '/out')).toEqual({ 'out/a': 'A', 'out/b': 'B', 'out/package': 'P' });
      await expect(first.copyOut('/out', never)).rejects.toMatchObject({ code: 'no-such-path' });
      await first[Symbol.asyncDispose]();
      const third = await ran({}, layerOn(more, second.id));
      expect(await copied(third, '/out')).toEqual({ 'out/a': 'A', 'out/b': 'B', 'out/package': 'P' });
    });

    it('lets the next run take over a container that was given the layer of one that is gone', async () => {
      const root = await keep(nameOf('a'), {});
      const first = await ran({ files: { '/out/a': 'A' } }, layerOn(root));
      const spec = { ...backend.spec({ files: { '/out/b': 'B' } }), ...layerOn(root, first.id) };
      used.push(await runtime.create(spec, never));
      await first[Symbol.asyncDispose]();

      const adopted = await runtime.recover(spec, never);

      if (adopted === null) throw new Error('it is not there');
      used.push(adopted);
      await adopted.start(never);
      await adopted.wait(never);
      expect(await copied(adopted, '/out')).toEqual({ 'out/a': 'A', 'out/b': 'B' });
    });

    it('takes no layer of a container that runs or is not there', async () => {
      const root = await keep(nameOf('a'), {});
      const running = await created({ output: Buffer.from('ready\n'), until: 'asked' }, layerOn(root));
      await running.start(never);
      for await (const _ of running.output(never)) break;

      await expect(created({}, layerOn(root, running.id))).rejects.toMatchObject({ code: 'bad-spec' });
      const unknown = created({}, layerOn(root, 'f00d'.repeat(16)));
      await expect(unknown).rejects.toMatchObject({ code: 'no-such-container' });
    });

    it('lets the next run take over a draft, with what is in it', async () => {
      const spec = draftSpec();
      expect(await roots.recover(spec, never)).toBeNull();
      const draft = await roots.prepare(spec, never);
      used.push(draft);
      await ran(
        { files: { '/mnt/root/out/a': 'A' }, system: '/mnt/root' },
        { mounts: [mounted(draft.root)] },
      );

      const recovered = await roots.recover(spec, never);

      expect(recovered).toMatchObject({ id: draft.id, name: spec.name, root: draft.root });
      const another = { ...spec, owner: { ...spec.owner, taskId: 99 } };
      expect(await roots.recover(another, never)).toBeNull();
      const { root } = await roots.commit(draft.root, nameOf('a'), never);
      names.push(nameOf('a'));
      expect(await copied(await ran({}, layerOn(root)), '/out')).toEqual({ 'out/a': 'A' });
    });

    it('lists drafts with their owners, and removes them by id', async () => {
      const spec = draftSpec();
      const { id } = await roots.prepare(spec, never);

      expect(await runtime.list('contract', never)).toMatchObject([
        { id, name: spec.name, owner: spec.owner, state: 'created' },
      ]);
      await runtime.remove(id);
      await runtime.remove(id);
      expect(await runtime.list('contract', never)).toEqual([]);
    });

    it('refuses a name that is in use, and makes nothing for a signal that is aborted', async () => {
      const spec = draftSpec();
      used.push(await roots.prepare(spec, never));
      const reason = new Error('enough');

      await expect(roots.prepare(spec, never)).rejects.toMatchObject({ code: 'bad-spec' });
      await expect(roots.prepare(draftSpec(), AbortSignal.abort(reason))).rejects.toBe(reason);
      const meanwhile = new AbortController();
      const during = roots.prepare(draftSpec(), meanwhile.signal).then(
        (draft) => draft[Symbol.asyncDispose](),
        (error: unknown) => expect(error).toBe(reason),
      );
      meanwhile.abort(reason);
      await during;
    });

    it('commits no draft that is not there', async () => {
      const gone = roots.commit({ kind: 'draft', id: 'f00d'.repeat(16) }, nameOf('a'), never);

      await expect(gone).rejects.toMatchObject({ code: 'no-such-container' });
    });

    it('keeps what a failed container has left, for visitors, until it is removed', async () => {
      const root = await keep(nameOf('a'), { '/home/x': 'X' });
      const failed = await created({ exitCode: 1, files: { '/home/y': 'Y' } }, layerOn(root));
      await failed.start(never);
      await failed.wait(never);

      const kept = await failed.keepRoot(never);

      expect(kept.bytes).toBeGreaterThanOrEqual(1);
      const visit: ContainerSpec['root'] = { kind: 'visit', root: kept.root, stays: ['/home'] };
      const visitor = await ran({}, { root: visit });
      await expect(visitor.copyOut('/home', never)).rejects.toMatchObject({ code: 'bad-spec' });
      await visitor[Symbol.asyncDispose]();
      expect((await runtime.list('contract', never)).map(({ id }) => id)).toEqual([failed.id]);
      await runtime.remove(failed.id);
      await expect(created({}, { root: visit })).rejects.toMatchObject({ code: 'no-such-container' });
    });
  });
}
