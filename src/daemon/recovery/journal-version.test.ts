import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { setUpDaemon } from '../../../test/support/daemon-under-test.ts';
import { containerName } from '../../container/names.ts';
import { never } from '../../core/never.ts';
import { taskDirectory } from '../run/task-runner.ts';

/** Journals as commit 51ee18f wrote them, which had no version: of a sleep, and of a build whose container was at work. */
const recorded = join(import.meta.dirname, '../../../test/fixtures/journal-without-version');

const methods = { 101: 'sleep', 102: 'buildArch' } as const;

/** A daemon that finds these tasks open, with a container, a buildroot, and journals made from the recorded ones. */
async function startWith(rewrite: (journal: string) => string) {
  const bench = await setUpDaemon({ shutdown: 'handover' });
  const { hub, containers, environment } = bench;
  const { workDir } = environment;
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const journal = join(workDir, 'journal/tasks');
  await mkdir(journal, { recursive: true });
  for (const [id, method] of Object.entries(methods)) {
    hub.addTask(method, method === 'sleep' ? [5000] : [], { id: Number(id), state: 'open' });
    const text = await readFile(join(recorded, `${method}.jsonl`), 'utf8');
    await writeFile(
      join(journal, `${id}.jsonl`),
      rewrite(text.replace(/"boot":"[^"]*"/, `"boot":"${boot}"`)),
    );
    await mkdir(join(workDir, taskDirectory(Number(id)), 'logs'), { recursive: true });
  }
  hub.buildroots.set(9, { state: 'building', task: 102 });
  const name = containerName('builder', 102, 9, 'build', 1);
  await containers.images.ensure('localhost/root:1', 'never', never);
  await containers.create(
    {
      name,
      root: { kind: 'image', image: 'localhost/root:1' },
      command: ['/bin/true'],
      env: {},
      workdir: '/',
      user: { uid: 0, gid: 0 },
      capabilities: [],
      isolation: 'plain',
      network: 'none',
      hostname: 'host',
      mounts: [],
      limits: { pids: 10 },
      owner: { workerId: 'builder', taskId: 102, phase: 'build', attempt: 1 },
      labels: {},
    },
    never,
  );
  await mkdir(join(workDir, 'containers'), { recursive: true });
  await writeFile(join(workDir, 'containers', `${name}.log`), 'compiling\n');
  const polled = new Promise<void>((resolve) => bench.events.once('poll:done', () => resolve()));
  void bench.run();
  await polled;
  return { ...bench, workDir };
}

it.each([
  ['no format version', (journal: string) => journal],
  ['format version 99', (journal: string) => journal.replace('{', '{"journal":99,')],
])('frees the tasks of a journal that has %s, says why, and leaves nothing', async (had, rewrite) => {
  const { hub, containers, lines, workDir } = await startWith(rewrite);

  expect([hub.task(101).state, hub.task(102).state]).toEqual(['free', 'free']);
  for (const taskId of [101, 102]) {
    const about = lines.filter((line) => line['taskId'] === taskId && 'reason' in line);
    expect(about).toMatchObject([
      {
        level: 40,
        msg: 'cannot resume a task of the previous run: it is freed where it is still open',
        reason: `its journal has ${had}, this version of the builder reads 1`,
      },
    ]);
  }
  expect(await readdir(join(workDir, 'journal/tasks'))).toEqual([]);
  expect(await readdir(join(workDir, 'journal/troubles')).catch(() => [])).toEqual([]);
  expect(await readdir(join(workDir, 'tasks'))).toEqual([]);
  expect(await readdir(join(workDir, 'containers'))).toEqual([]);
  expect(await containers.list('builder', never)).toEqual([]);
  expect(hub.buildroots.get(9)?.state).toBe('expired');
});
