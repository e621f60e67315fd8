import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isStruct, type RpcValue } from '../../../src/hub/xmlrpc/codec.ts';
import { completeBuild, prepareBuild } from './build-files.ts';
import { buildTag, since, target, type UseFixture } from './fixture.ts';

const Exchange = z.looseObject({ hub: z.string(), method: z.string(), result: z.unknown().optional() });
const Row = z.record(z.string(), z.unknown());
const Repo = z.tuple([z.int(), z.int()]);

/** The members of the answers that Koji's development head gave, by method; of a list, those of its first row. */
function readRecordedMembers(): ReadonlyMap<string, readonly string[]> {
  const members = new Map<string, readonly string[]>();
  const lines = readFileSync(
    new URL('../../fixtures/hub/exchanges.jsonl', import.meta.url),
    'utf8',
  ).trimEnd();
  for (const line of lines.split('\n')) {
    const { hub, method, result } = Exchange.parse(JSON.parse(line));
    const row = Row.safeParse(Array.isArray(result) ? result[0] : result);
    if (hub === 'master' && row.success) members.set(method, Object.keys(row.data));
  }
  return members;
}

function membersOf(answer: RpcValue): readonly string[] {
  const first: RpcValue | undefined = Array.isArray(answer) ? answer[0] : answer;
  return isStruct(first) ? Object.keys(first) : [];
}

/** Answers have all that recorded answers of a real hub have, whether a builder looks at it today or not. */
export function describeShapeRules(use: UseFixture): void {
  describe('answers', () => {
    const recorded = readRecordedMembers();
    let repo: number;
    let task: number;
    beforeAll(async () => {
      const build = await prepareBuild(use());
      await completeBuild(use(), build);
      task = build.task;
      [repo] = Repo.parse(await use().builder.call('host.repoInit', [buildTag]));
      await use().builder.call('host.newBuildRoot', [repo, 'x86_64'], { task_id: task });
      await use().newTask({ assign: await use().hostIdOf(use().builder) });
      await use().builder.call('host.repoDone', [repo, {}]);
    });

    const calls: readonly (readonly [string, () => readonly RpcValue[]])[] = [
      ['getSessionInfo', () => []],
      ['host.getHost', () => []],
      ['host.getHostTasks', () => []],
      ['host.getTasks', () => []],
      ['getTaskInfo', () => [task, true]],
      ['getTag', () => [target]],
      ['getBuildConfig', () => [buildTag]],
      ['getBuildTarget', () => [target]],
      ['getFullInheritance', () => [buildTag]],
      ['getLastEvent', () => []],
      ['getRepo', () => [buildTag]],
      ['repoInfo', () => [repo]],
      ['repo.request', () => [buildTag]],
      ['listBuildroots', () => []],
    ];

    /** When methods came, or their answers got what is recorded. */
    const versions: ReadonlyMap<string, readonly number[]> = new Map([
      ['host.getTasks', [1, 34]],
      ['getRepo', [1, 35]],
      ['repoInfo', [1, 35]],
      ['repo.request', [1, 35]],
    ]);

    for (const [method, params] of calls) {
      const rule = async () => {
        const wanted = recorded.get(method)?.filter((name) => name !== 'query_event') ?? [];

        const answer = await use().builder.call(method, params());

        expect(wanted).not.toEqual([]);
        expect(membersOf(answer)).toEqual(expect.arrayContaining(wanted));
      };
      it(`of ${method} are complete`, since(use, versions.get(method) ?? [], rule));
    }

    it('name the event that was asked for', async () => {
      const { id } = z.looseObject({ id: z.int() }).parse(await use().user.call('getLastEvent'));

      for (const method of ['getTag', 'getBuildConfig'])
        expect(await use().user.call(method, [buildTag], { event: id })).toHaveProperty('query_event', id);
    });
  });
}
