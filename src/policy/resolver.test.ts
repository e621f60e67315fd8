import { describe, expect, it } from 'vitest';
import type { Clock } from '../core/clock.ts';
import { never } from '../core/never.ts';
import { PolicyError } from './errors.ts';
import { type ImageRequest, PolicyResolver, type PolicyResolverOptions } from './resolver.ts';
import type { TagExtra } from './tag-extra-cache.ts';

const options: PolicyResolverOptions = {
  enabled: true,
  defaultImage: 'localhost/bootstrap:<arch>',
  defaultPull: 'if-not-present',
  cacheTtlMs: 1000,
  mockBootstrapImage: false,
};
const question: ImageRequest = { method: 'buildArch', tag: { name: 'f44-build', id: 4 }, arch: 'x86_64' };
const signal = never;
const withRules = (...rules: readonly unknown[]): TagExtra => ({
  adjutant_image_policy: { version: '1.0', rules },
});

/** A resolver whose hub answers what the test says, and counts the questions. */
function setUp(extra: TagExtra, changes: Partial<PolicyResolverOptions> = {}) {
  const time = { nowMs: 0 };
  const clock: Clock = {
    now: () => time.nowMs,
    uptime: () => time.nowMs,
    sleep: () => Promise.reject(new Error('nobody sleeps here')),
  };
  const calls: { tagId: number; event: number | undefined; signal: AbortSignal }[] = [];
  const hub = { answer: () => Promise.resolve(extra) };
  const resolver = new PolicyResolver(
    { ...options, ...changes },
    (tagId, event, callSignal) => {
      calls.push({ tagId, event, signal: callSignal });
      return hub.answer();
    },
    clock,
  );
  return { resolver, calls, time, hub };
}

describe('PolicyResolver', () => {
  it('takes the rule that decides, with the arch filled in, and says which', async () => {
    const { resolver, calls } = setUp(
      withRules({ type: 'default', image: 'x' }, { type: 'tag', tag: 'f44-build', image: 'root:f44-<arch>' }),
    );

    expect(await resolver.resolve(question, signal)).toEqual({
      image: 'root:f44-x86_64',
      pull: 'if-not-present',
      because: 'adjutant_image_policy.rules[1] (tag) of tag f44-build',
    });
    expect(calls).toMatchObject([{ tagId: 4, event: undefined }]);
  });

  it('makes 32-bit roots with the image of the machine', async () => {
    const { resolver } = setUp({});

    expect((await resolver.resolve({ ...question, arch: 'i386' }, signal)).image).toBe(
      'localhost/bootstrap:x86_64',
    );
  });

  it('passes on what else the rule asks for', async () => {
    const rule = { type: 'default', image: 'x', pull_policy: 'never', network: false, buildroot: 'tag' };
    const { resolver } = setUp(withRules({ ...rule, limits: { memory: '2g', pids: 9, cpus: 0.5 } }));

    expect(await resolver.resolve(question, signal)).toMatchObject({
      pull: 'never',
      network: false,
      limits: { memoryBytes: 2 * 1024 ** 3, pids: 9, cpus: 0.5 },
    });
  });

  it('falls to the configured image when the tag has no policy or no rule matches', async () => {
    const fallback = {
      image: 'localhost/bootstrap:x86_64',
      pull: 'if-not-present',
      because: 'task_image_default: tag f44-build names no image',
    };

    expect(await setUp({}).resolver.resolve(question, signal)).toEqual(fallback);
    expect(
      await setUp(withRules({ type: 'tag', tag: 'other', image: 'x' })).resolver.resolve(question, signal),
    ).toEqual(fallback);
  });

  it('never falls to the default on a broken policy', async () => {
    for (const broken of [null, '{', { version: '9', rules: [] }]) {
      const { resolver } = setUp({ adjutant_image_policy: broken });

      await expect(resolver.resolve(question, signal)).rejects.toThrow(PolicyError);
      await expect(resolver.resolve(question, signal)).rejects.toThrow(
        /^tag f44-build: adjutant_image_policy/,
      );
    }
  });

  it('refuses a buildroot made of the image, but only where that rule decides', async () => {
    const { resolver } = setUp(
      withRules(
        { type: 'tag', tag: 'f44-build', image: 'x', buildroot: 'image' },
        { type: 'tag_arch', tag: 'f44-build', arch: 'aarch64', image: 'y' },
      ),
    );

    await expect(resolver.resolve(question, signal)).rejects.toThrow(
      'tag f44-build: adjutant_image_policy.rules[0].buildroot is "image", which this builder does not support yet',
    );
    expect((await resolver.resolve({ ...question, arch: 'aarch64' }, signal)).image).toBe('y');
  });

  it('asks nobody when policies are switched off', async () => {
    const { resolver, calls } = setUp(withRules({ type: 'default', image: 'x' }), {
      enabled: false,
      mockBootstrapImage: true,
    });

    expect((await resolver.resolve(question, signal)).because).toBe(
      'task_image_default: policies are switched off',
    );
    expect(calls).toEqual([]);
  });

  it('uses a build config the task already has', async () => {
    const { resolver, calls } = setUp({});

    const choice = await resolver.resolve(
      { ...question, buildConfigExtra: withRules({ type: 'default', image: 'x' }) },
      signal,
    );

    expect(choice.image).toBe('x');
    expect(calls).toEqual([]);
  });
});

describe("mock's bootstrap image", () => {
  const extra = { 'mock.bootstrap_image': 'fedora:44' };

  it('counts where it is allowed, below every rule', async () => {
    const allowed = { mockBootstrapImage: true };

    expect(await setUp(extra, allowed).resolver.resolve(question, signal)).toMatchObject({
      image: 'fedora:44',
      because: 'mock.bootstrap_image of tag f44-build',
    });
    expect((await setUp(extra).resolver.resolve(question, signal)).image).toBe('localhost/bootstrap:x86_64');
    const both = { ...extra, ...withRules({ type: 'default', image: 'x' }) };
    expect((await setUp(both, allowed).resolver.resolve(question, signal)).image).toBe('x');
  });

  it.each(['', null, 0, false, [], {}])('is nothing when it is %j', async (value) => {
    const { resolver } = setUp({ 'mock.bootstrap_image': value }, { mockBootstrapImage: true });

    expect((await resolver.resolve(question, signal)).image).toBe('localhost/bootstrap:x86_64');
  });

  it.each([44, 2n ** 60n, true, '-v', ['fedora:44'], { image: 1n }])(
    'is an error when it is no name: %o',
    async (value) => {
      const { resolver } = setUp({ 'mock.bootstrap_image': value }, { mockBootstrapImage: true });

      await expect(resolver.resolve(question, signal)).rejects.toThrow(
        'tag f44-build: mock.bootstrap_image must be the name of an image',
      );
    },
  );
});

describe('the memory of tags', () => {
  it('asks once per tag and event until the time is over', async () => {
    const { resolver, calls, time } = setUp({});
    const ask = (changes: Partial<ImageRequest> = {}) =>
      resolver.resolve({ ...question, ...changes }, signal);

    await ask();
    time.nowMs = 999;
    await ask({ method: 'createrepo', arch: 'aarch64' });
    expect(calls).toHaveLength(1);
    await ask({ event: 77 });
    await ask({ tag: { name: 'f43-build', id: 3 } });
    expect(calls).toMatchObject([{ tagId: 4 }, { tagId: 4, event: 77 }, { tagId: 3 }]);
    time.nowMs = 1000;
    await ask();
    expect(calls).toHaveLength(4);
  });

  it('asks once for all who ask at the same time', async () => {
    const { resolver, calls, hub } = setUp({});
    const answer = Promise.withResolvers<TagExtra>();
    hub.answer = () => answer.promise;

    const all = Promise.all([1, 2, 3].map(() => resolver.resolve(question, signal)));
    answer.resolve(withRules({ type: 'default', image: 'x' }));

    expect((await all).map(({ image }) => image)).toEqual(['x', 'x', 'x']);
    expect(calls).toHaveLength(1);
  });

  it('does not remember a failure', async () => {
    const { resolver, calls, hub } = setUp({});
    const answerLater = hub.answer;
    hub.answer = () => Promise.reject(new Error('hub is down'));

    await expect(resolver.resolve(question, signal)).rejects.toThrow('hub is down');
    hub.answer = answerLater;
    await resolver.resolve(question, signal);

    expect(calls).toHaveLength(2);
  });

  it('lets one caller give up without taking the answer from the others', async () => {
    const { resolver, calls, hub } = setUp({});
    const answer = Promise.withResolvers<TagExtra>();
    hub.answer = () => answer.promise;
    const hasty = new AbortController();

    const given = resolver.resolve(question, hasty.signal);
    const kept = resolver.resolve(question, signal);
    hasty.abort(new Error('task cancelled'));

    await expect(given).rejects.toThrow('task cancelled');
    expect(calls[0]?.signal.aborted).toBe(false);
    answer.resolve({});
    expect((await kept).image).toBe('localhost/bootstrap:x86_64');
  });

  it('stops asking when the last caller has given up', async () => {
    const { resolver, calls, hub } = setUp({});
    hub.answer = () => Promise.withResolvers<TagExtra>().promise;
    const hasty = new AbortController();

    const given = resolver.resolve(question, hasty.signal);
    hasty.abort(new Error('task cancelled'));

    await expect(given).rejects.toThrow('task cancelled');
    expect(calls[0]?.signal.aborted).toBe(true);
    await expect(resolver.resolve(question, hasty.signal)).rejects.toThrow('task cancelled');
  });

  it('forgets the oldest of very many events', async () => {
    const { resolver, calls } = setUp({});

    for (let event = 1; event <= 501; event += 1) await resolver.resolve({ ...question, event }, signal);
    await resolver.resolve({ ...question, event: 501 }, signal);
    expect(calls).toHaveLength(501);
    await resolver.resolve({ ...question, event: 1 }, signal);
    expect(calls).toHaveLength(502);
  });
});
