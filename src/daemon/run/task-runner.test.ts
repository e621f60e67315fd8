import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ManualClock, settle } from '../../../test/support/manual-clock.ts';
import { MemoryHub } from '../../../test/support/memory-hub.ts';
import { keptLog } from '../../../test/support/silent-log.ts';
import { makeTaskEnvironment } from '../../../test/support/task-environment.ts';
import { openTaskJournal, taskHead } from '../../../test/support/task-journal.ts';
import { FakeRuntime } from '../../container/fake/fake-runtime.ts';
import { WakeSignal } from '../../core/wake-signal.ts';
import { HubFault, HubTransportError, SessionLost } from '../../hub/faults.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { decodeResponse } from '../../hub/xmlrpc/decode.ts';
import type { TaskAdapter, TaskContext } from '../../tasks/adapter.ts';
import { TaskCancelled, TaskFault, TaskRefused } from '../../tasks/errors.ts';
import type { CreatedChild } from '../../tasks/subtasks.ts';
import { runTask, type TaskRun, taskDirectory } from './task-runner.ts';

async function setUp(run: TaskAdapter['run'], more: Partial<TaskRun> = {}) {
  const hub = new MemoryHub();
  const id = hub.addTask('test', [], { state: 'open' });
  const clock = new ManualClock();
  const environment = await makeTaskEnvironment(clock, new FakeRuntime({ clock, images: {} }));
  const abort = new AbortController();
  const { log, lines } = keptLog();
  const adapter: TaskAdapter = {
    methods: ['test'],
    weight: 1,
    signature: { names: [], schema: z.unknown() },
    run,
  };
  const children: CreatedChild[] = [];
  const refused: number[] = [];
  const journal = openTaskJournal(environment.workDir);
  const history = await journal.begin(id, taskHead(id));
  const taskRun: TaskRun = {
    task: { id, method: 'test', arch: 'noarch' },
    adapter,
    params: { value: null },
    session: hub.session(),
    signal: abort.signal,
    wake: new WakeSignal(),
    log,
    history,
    seed: 1,
    forget: () => journal.remove(id),
    troubles: journal.troubles,
    hostTasks: {
      childMade: (child) => children.push(child),
      async refuseOpen(taskId, { soft, message }, host) {
        refused.push(taskId);
        await host.refuseTask(taskId, { soft, msg: message });
      },
      taskEnded: () => undefined,
    },
    ...more,
  };
  const directory = join(environment.workDir, taskDirectory(id));
  return {
    hub,
    clock,
    abort,
    lines,
    children,
    refused,
    directory,
    journal,
    task: hub.task(id),
    history,
    start: (again: Partial<TaskRun> = {}) => runTask({ ...taskRun, ...again }, environment),
  };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

const endings = ['host.closeTask', 'host.failTask', 'host.freeTasks', 'host.refuseTask'];

describe('runTask', () => {
  it('closes the task with its result, then its session', async () => {
    const { hub, task, start } = await setUp(async () => ({ rpms: ['a.rpm'], brootid: 3 }));

    expect(await start()).toBe('close');

    expect(task.state).toBe('closed');
    expect(decodeResponse(task.result ?? '')).toEqual({ rpms: ['a.rpm'], brootid: 3 });
    expect(hub.methods()).toEqual(['host.closeTask', 'logout']);
  });

  it('gives the task an empty directory, and removes it before the hub hears of the end', async () => {
    let found: readonly string[] = [];
    const { hub, directory, start } = await setUp(async (_params, context) => {
      found = await readdir(context.directory.absolute);
      expect(context.directory.absolute).toBe(directory);
      await writeFile(join(directory, 'result'), 'x');
      return null;
    });
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'of an earlier try'), 'x');
    let wasThere = true;
    hub.once('host.closeTask', async () => {
      wasThere = await isThere(directory);
    });

    expect(await start()).toBe('close');

    expect(found).toEqual(['logs']);
    expect(wasThere).toBe(false);
  });

  it('unwinds the clean-up and sends the logs before it tells the hub', async () => {
    const order: string[] = [];
    const { hub, start } = await setUp(async (_params, { cleanup, logs }) => {
      cleanup.defer(() => {
        order.push('container removed');
      });
      await logs.write('build.log', 'all of it');
      return null;
    });
    hub.once('upload', () => {
      order.push('log sent');
    });
    hub.once('host.closeTask', () => {
      order.push('closed');
    });

    await start();

    expect(order).toEqual(['container removed', 'log sent', 'closed']);
    expect([...hub.uploads.values()].map(String)).toEqual(['all of it']);
  });

  it('fails the task with fault and text, after its logs were sent', async () => {
    const { hub, task, start } = await setUp(async (_params, { logs }) => {
      await logs.write('build.log', 'why');
      throw new TaskFault(1005, 'package', 'it does not compile');
    });

    expect(await start()).toBe('fail');

    expect(() => decodeResponse(task.result ?? '')).toThrow('fault 1005: it does not compile');
    expect(hub.methods()).toEqual(['upload', 'host.failTask', 'logout']);
  });

  it('fails a task whose parameters could not be read, without running it', async () => {
    const error = new TaskFault(1019, 'request', 'parameter n: Required');
    const { task, start } = await setUp(() => expect.unreachable(), { params: { error } });

    expect(await start()).toBe('fail');

    expect(() => decodeResponse(task.result ?? '')).toThrow('fault 1019: parameter n: Required');
  });

  it('gives the task back as it asks: refused', async () => {
    const { hub, task, refused, start } = await setUp(async () => {
      throw new TaskRefused('no repos here', { soft: true });
    });

    expect(await start()).toBe('refuse');

    expect(task.state).toBe('free');
    expect(refused).toEqual([task.id]);
    expect(hub.calls[0]).toMatchObject({ params: [task.id], keywords: { soft: true, msg: 'no repos here' } });
  });

  it('fails the task that would be refused softly for the third time in a row', async () => {
    const { hub, journal, task, start } = await setUp(async () => {
      throw new TaskRefused('no room here', { soft: true });
    });
    for (let earlier = 0; earlier < 2; earlier += 1) await journal.troubles.noteSoftRefusal(task.id);

    expect(await start()).toBe('fail');

    expect(hub.calls[0]?.method).toBe('host.failTask');
    expect(() => decodeResponse(task.result ?? '')).toThrow('refused 3 times in a row by this host');
    expect(await journal.troubles.noteSoftRefusal(task.id)).toBe(1);
  });

  it('frees a task whose end another version has recorded', async () => {
    const { history, hub, task, journal, start } = await setUp(() => expect.unreachable());
    await history.once('task', z.unknown(), async () => ({ result: 'of another shape' }));
    await history.close();
    const [begun] = await journal.reopen();
    if (begun === undefined) throw new Error('the journal is empty');

    expect(await start({ history: begun.history })).toBe('free');

    expect(task.state).toBe('free');
    expect(hub.methods()).toEqual(['host.freeTasks', 'logout']);
  });

  it('frees the task for what is not its fault', async () => {
    const { task, start } = await setUp(async () => {
      throw new HubTransportError('unreachable', 'no route');
    });

    expect(await start()).toBe('free');

    expect(task.state).toBe('free');
  });

  it('logs a bug of ours with its stack, and fails the task with code 1', async () => {
    const { lines, task, start } = await setUp(async () => {
      throw new TypeError('x is undefined');
    });

    expect(await start()).toBe('fail');

    expect(() => decodeResponse(task.result ?? '')).toThrow('fault 1: x is undefined');
    expect(lines).toContainEqual(expect.objectContaining({ level: 50, msg: expect.stringMatching(/bug/) }));
  });

  it('tells the hub nothing of a task that was stopped, after it has tidied up', async () => {
    let tidied = false;
    const { hub, abort, clock, directory, start } = await setUp(async (_params, context) => {
      context.cleanup.defer(() => {
        tidied = true;
      });
      await context.logs.write('build.log', 'x');
      await context.clock.sleep(1000, context.signal);
      return null;
    });
    const end = start();
    // The pump of the logs sleeps as long as the task: the second sleeper is the task.
    while (clock.sleeping < 2) await settle();

    abort.abort(new TaskCancelled('canceled'));

    expect(await end).toBe('nothing');
    expect(tidied).toBe(true);
    expect(await isThere(directory)).toBe(false);
    expect(hub.methods()).toEqual(['logout']);
  });

  it('tells the hub nothing when the task fails of being stopped', async () => {
    const { hub, abort, start } = await setUp(async () => {
      abort.abort(new TaskCancelled('shutdown'));
      throw new Error('container killed');
    });

    expect(await start()).toBe('nothing');

    expect(hub.methods().filter((method) => endings.includes(method))).toEqual([]);
  });

  it('keeps the result of a task that was done before it noticed the stop', async () => {
    const { task, abort, start } = await setUp(async () => {
      abort.abort(new TaskCancelled('shutdown'));
      return 'done';
    });

    expect(await start()).toBe('close');

    expect(task.state).toBe('closed');
  });

  it('takes it as not ours any more when the hub says so at the end', async () => {
    const { hub, lines, task, start } = await setUp(async () => {
      task.state = 'canceled';
      return null;
    });

    expect(await start()).toBe('nothing');

    expect(hub.methods()).toEqual(['host.closeTask', 'logout']);
    expect(lines.map(({ level }) => level)).not.toContain(50);
  });

  it('fails a task whose result the hub does not take', async () => {
    const { hub, task, start } = await setUp(async () => 'odd');
    hub.once('host.closeTask', new HubFault(1, 'ExpatError'));

    expect(await start()).toBe('fail');

    expect(() => decodeResponse(task.result ?? '')).toThrow('fault 1: ExpatError');
  });

  it('fails a task whose result cannot be written', async () => {
    const { task, start } = await setUp(async () => undefined as unknown as RpcValue);

    expect(await start()).toBe('fail');

    expect(task.state).toBe('failed');
  });

  it('leaves the task to the poll loop when the hub is down at the end', async () => {
    const { hub, lines, task, start } = await setUp(async () => null);
    hub.always('host.closeTask', new HubTransportError('unreachable', 'no route'));
    hub.always('logout', new HubTransportError('unreachable', 'no route'));

    expect(await start()).toBe('nothing');

    expect(task.state).toBe('open');
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 50,
        msg: expect.stringMatching(/reporting the outcome to the hub failed/),
      }),
    );
  });

  it('does not wait for ever for a hub that hangs at logout', async () => {
    const { hub, clock, start } = await setUp(async () => null);
    hub.always('logout', 'hang');
    const end = start();
    await hub.called('logout');

    await clock.advance(60_000);

    expect(await end).toBe('close');
  });

  it('does not wait for ever for logs that do not get through', async () => {
    const { hub, clock, lines, start } = await setUp(async (_params, { logs }) => {
      await logs.write('build.log', 'x');
      return null;
    });
    hub.always('upload', 'hang');
    const end = start();
    await clock.asleep(60_000);

    await clock.advance(60_000);

    expect(await end).toBe('close');
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: expect.stringMatching(/logs .* incomplete/) }),
    );
  });

  it('sends no more of the logs once the task is stopped', async () => {
    const { hub, abort, task, start } = await setUp(async (_params, { logs }) => {
      await logs.write('build.log', 'x');
      return null;
    });
    hub.always('upload', () => abort.abort(new TaskCancelled('shutdown')));

    // It had its result, and closing it is the least work for everybody.
    expect(await start()).toBe('close');

    expect(hub.uploads.size).toBe(0);
    expect(task.state).toBe('closed');
  });

  it.each([
    ['while the task runs', 'host.taskSetWait'],
    ['when the task is closed', 'host.closeTask'],
  ])('passes on that the session is lost %s, with the directory removed', async (_name, method) => {
    const { hub, directory, start } = await setUp(async (_params, { hub: apis, task }) => {
      await apis.subtasks.taskSetWait(task.id, null);
      return null;
    });
    hub.once(method, new SessionLost('somebody took the lock'));

    await expect(start()).rejects.toThrow(SessionLost);

    expect(await isThere(directory)).toBe(false);
  });

  it('continues when the clean-up fails, and says so', async () => {
    const { lines, start } = await setUp(async (_params, { cleanup }) => {
      cleanup.defer(() => {
        throw new Error('engine is gone');
      });
      return null;
    });

    expect(await start()).toBe('close');

    expect(lines).toContainEqual(expect.objectContaining({ msg: 'task clean-up failed' }));
  });

  it('expects work when the task has made a child', async () => {
    const { children, start, task } = await setUp(async (_params: unknown, { subtasks }: TaskContext) => {
      await subtasks.start({ method: 'sleep', args: [1] });
      return null;
    });

    await start();

    expect(children).toMatchObject([{ method: 'sleep', parentId: task.id, assigned: false }]);
  });
});

describe('taskDirectory', () => {
  it('is as on the hub', () => {
    expect(taskDirectory(120_034)).toBe('tasks/34/120034');
  });
});
