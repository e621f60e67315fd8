import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repoRow } from '../../../test/support/hub-rows.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { failureOf } from '../../../test/support/root-bench.ts';
import { hubFault } from '../../../test/support/scripted-session.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { TaskRefused } from '../errors.ts';
import { createrepo } from './index.ts';

interface Play {
  readonly code?: number;
  /** The first container, or each, does not end of itself. */
  readonly hangs?: 'once' | 'always';
  readonly files?: readonly string[];
  readonly output?: string;
}

async function setUp(
  {
    code = 0,
    files = ['repomd.xml', 'abc-primary.xml.gz'],
    output = 'Directory walk started\n',
    hangs,
  }: Play = {},
  kojid: string[] = [],
  clock = new ManualClock(),
) {
  const bench = await openTaskBench({
    method: 'createrepo',
    kojid,
    clock,
    stepLimits: { solveSeconds: 0, installSeconds: 0, createrepoSeconds: 600 },
    behave: (directory) => (spec) => ({
      output,
      async main({ signal }) {
        if (hangs === 'always' || (hangs === 'once' && spec.owner.attempt === 1)) {
          await writeFile(join(directory, 'out/half'), '');
          await once(signal, 'abort');
          return 137;
        }
        await mkdir(join(directory, 'out/repodata'), { recursive: true });
        for (const name of files) await writeFile(join(directory, 'out/repodata', name), name);
        return code;
      },
    }),
  });
  bench.session.on('repoInfo', repoRow({ id: 75, state: 0 }));
  await bench.put('repos/f1-build/75/x86_64/pkglist', 'toplink/packages/a.rpm\n');
  await bench.put('repos/f1-build/75/groups/comps.xml', '<comps/>');
  const script = () => readFile(join(bench.directory, 'in/createrepo.sh'), 'utf8');
  return { ...bench, script, run: (old: RpcValue = null) => bench.run(createrepo, 75, 'x86_64', old) };
}

describe('createrepo', () => {
  it('makes the metadata in a container and sends it', async () => {
    const { session, run, script, context, containers } = await setUp();

    expect(await run()).toEqual(['tasks/5/5', ['abc-primary.xml.gz', 'repomd.xml']]);
    await context.logs.finish(context.signal);

    expect(session.of('repoInfo')[0]).toMatchObject({ params: [75], keywords: { strict: true } });
    expect([...session.uploads.keys()].sort()).toEqual(
      ['abc-primary.xml.gz', 'createrepo.log', 'repomd.xml'].map((name) => `tasks/5/5/${name}`),
    );
    expect(String(session.uploads.get('tasks/5/5/createrepo.log'))).toBe('Directory walk started\n');
    expect(await script()).toContain(
      'exec createrepo_c --error-exit-val -vd -o /adjutant/out -i /koji/repos/f1-build/75/x86_64/pkglist -g /koji/repos/f1-build/75/groups/comps.xml /koji/repos/f1-build/75/x86_64\n',
    );
    expect(containers.created).toMatchObject([
      {
        name: expect.stringMatching(/^koji-adjutant-[0-9a-f]{8}-5-createrepo$/),
        network: 'none',
        capabilities: ['DAC_OVERRIDE'],
        mounts: [
          { target: '/adjutant/in', readOnly: true },
          { target: '/adjutant/out', readOnly: false },
          { kind: 'koji', path: '.', target: '/koji' },
        ],
      },
    ]);
  });

  it('is killed when its time is over, and tried once more in an empty directory', async () => {
    const clock = new ManualClock();
    const { run, containers, lines, directory } = await setUp({ hangs: 'once' }, [], clock);
    const running = run();
    await clock.asleep(600_000);
    await clock.advance(600_000);

    expect(await running).toEqual(['tasks/5/5', ['abc-primary.xml.gz', 'repomd.xml']]);

    expect(containers.created.map(({ owner }) => owner.attempt)).toEqual([1, 2]);
    expect(existsSync(join(directory, 'out/half'))).toBe(false);
    expect(lines.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining([
        'createrepo has not ended within 600 s and is killed',
        expect.stringMatching(
          /^createrepo did not end within 600 s \(createrepo_timeout\).*: trying once more$/,
        ),
      ]),
    );
  });

  it('goes to another host when it does not end on its second try either', async () => {
    const clock = new ManualClock();
    const { run } = await setUp({ hangs: 'always' }, [], clock);
    const failing = failureOf(run());
    for (let tries = 0; tries < 2; tries += 1) {
      await clock.asleep(600_000);
      await clock.advance(600_000);
    }

    expect(await failing).toMatchObject({ code: 'step-timed-out', disposition: 'refuse-soft' });
  });

  it('sends the metadata while its container goes, and tries again in the end when that fails', async () => {
    const { session, run, containers, tidyUp } = await setUp();
    const removing = Promise.withResolvers<void>();
    const create = containers.create.bind(containers);
    containers.create = async (...args) => {
      const container = await create(...args);
      const remove = container[Symbol.asyncDispose].bind(container);
      const removals = [() => removing.promise, remove];
      container[Symbol.asyncDispose] = async () => (removals.shift() ?? remove)();
      return container;
    };

    await run();
    expect(session.uploads.size).toBe(2);
    removing.reject(new Error('the engine is busy'));

    await tidyUp();
  });

  it('writes a script that bash takes, whatever the tag is called', async () => {
    const name = "it's a $(tag)";
    const { session, run, script, put } = await setUp();
    session.on('repoInfo', repoRow({ id: 75, state: 0, tag_name: name }));
    await put(`repos/${name}/75/x86_64/pkglist`, 'a');

    await run();

    const checked = spawnSync('bash', ['-n'], { input: await script(), encoding: 'utf8' });
    expect(checked.stderr).toBe('');
    expect(await script()).toContain(`-i '/koji/repos/it'\\''s a $(tag)/75/x86_64/pkglist'`);
  });

  it('leaves groups out where there are none', async () => {
    const { run, script, topDir } = await setUp();
    await rm(join(topDir, 'repos/f1-build/75/groups'), { recursive: true });

    await run();

    expect(await script()).not.toContain(' -g ');
  });

  it('marks the metadata of an arch without packages', async () => {
    const { session, run, script, put } = await setUp();
    await put('repos/f1-build/75/x86_64/pkglist', '');

    expect(await run({ id: 60 })).toEqual(['tasks/5/5', ['EMPTY_REPO', 'abc-primary.xml.gz', 'repomd.xml']]);

    expect(String(session.uploads.get('tasks/5/5/EMPTY_REPO'))).toContain('no content for this arch');
    expect(await script()).toMatch(/-o \/adjutant\/out -g \S+ \/adjutant\/out\n$/);
    expect(await script()).not.toContain('--update');
  });

  it('starts from the metadata of the old repo, in the tag that has it', async () => {
    const { session, run, script, put } = await setUp();
    session.on('repoInfo', repoRow({ id: 75, state: 0 }), repoRow({ id: 60, tag_name: 'f0-build' }));
    await put('repos/f0-build/60/x86_64/repodata/repomd.xml', '');

    await run({ id: 60, tag_id: 8 });

    expect(session.of('repoInfo')[1]).toMatchObject({ params: [60], keywords: { strict: true } });
    expect(await script()).toContain(
      'cp -r /koji/repos/f0-build/60/x86_64/repodata /adjutant/out/repodata || exit 1\nrm -f /adjutant/out/repodata/pkgorigins.gz\n',
    );
    expect(await script()).toContain(' --update --skip-stat /koji/repos/f1-build/75/x86_64\n');
  });

  it('looks at the packages again where it is told to', async () => {
    const { session, run, script, put } = await setUp({}, ['createrepo_skip_stat = no']);
    session.on('repoInfo', repoRow({ id: 75, state: 0 }), repoRow({ id: 60 }));
    await put('repos/f1-build/60/x86_64/repodata/repomd.xml', '');

    await run({ id: 60 });

    expect(await script()).toContain(' --update /koji/repos/');
  });

  it('makes all metadata anew when the old is gone, and says so', async () => {
    const { session, run, script, lines } = await setUp();
    session.on('repoInfo', repoRow({ id: 75, state: 0 }), repoRow({ id: 60 }));

    await run({ id: 60 });

    expect(await script()).not.toContain('--update');
    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: 'the metadata of the old repo is missing',
        place: expect.stringContaining('/60/'),
      }),
    );
  });

  it('makes all metadata anew where createrepo_update is off', async () => {
    const { session, run } = await setUp({}, ['createrepo_update = no']);

    await run({ id: 60 });

    expect(session.of('repoInfo')).toHaveLength(1);
  });

  it('fails with the log to read', async () => {
    const { session, run, tidyUp, context } = await setUp({ code: 2 });

    await expect(run()).rejects.toMatchObject({
      faultCode: 1000,
      message:
        'failed to create repo: createrepo_c exited with status 2; see createrepo.log for more information',
    });
    await context.logs.finish(context.signal);
    await tidyUp();

    expect([...session.uploads.keys()]).toEqual(['tasks/5/5/createrepo.log']);
  });

  it('is left to other hosts when its script cannot be read, and blames the image when that crashes', async () => {
    const crashed = await setUp({ code: 139 });
    await expect(crashed.run()).rejects.toMatchObject({ code: 'image-program-failed' });
    await crashed.tidyUp();

    const unread = await setUp({
      code: 126,
      output: '/bin/bash: /adjutant/in/createrepo.sh: Permission denied\n',
    });
    await expect(unread.run()).rejects.toMatchObject({ code: 'step-not-begun', blame: 'builder' });
    await unread.tidyUp();
  });

  it.each([
    [1, 'READY'],
    [3, 'DELETED'],
  ])('fails for a repo in state %i', async (state, name) => {
    const { session, run } = await setUp();
    session.on('repoInfo', repoRow({ id: 75, state }));

    await expect(run()).rejects.toMatchObject({
      faultCode: 1000,
      message: `Repo 75 not in INIT state (got ${name})`,
    });
  });

  it('passes on that there is no such repo', async () => {
    const { session, run } = await setUp();
    session.on('repoInfo', hubFault(1000, 'No such repo'));

    await expect(run()).rejects.toMatchObject({ faultString: 'No such repo' });
  });

  it("leaves the task to others without the hub's tree", async () => {
    const { run, topDir } = await setUp();
    await rm(join(topDir, 'repos'), { recursive: true });

    const refusal = await failureOf(run());

    expect(refusal).toBeInstanceOf(TaskRefused);
    expect(refusal).toMatchObject({ disposition: 'refuse-soft' });
  });

  it('fails when the hub has made no directory for the arch', async () => {
    const { run, topDir } = await setUp();
    await rm(join(topDir, 'repos/f1-build/75/x86_64'), { recursive: true });

    await expect(run()).rejects.toMatchObject({
      faultCode: 1000,
      message: `Repo directory missing: ${join(topDir, 'repos/f1-build/75/x86_64')}`,
    });
  });
});
