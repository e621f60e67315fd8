import { describe, expect, it } from 'vitest';
import { factDifferences } from './compare.ts';
import { toFacts } from './facts.ts';
import { BuildRecord, type JsonStruct } from './record-schema.ts';

/** A build as two builders would leave it on a hub: all ids and times are different. */
function record(first: number, changes: { weight?: number; buildroot?: JsonStruct } = {}): BuildRecord {
  const [build, task, buildroot, buildId] = [first, first + 1, first + 2, first + 3];
  const srpm = `tasks/${task}/${task}/a-1-1.src.rpm`;
  const root = {
    id: buildroot,
    task_id: task,
    state: 3,
    host_id: first,
    host_name: `host${first}`,
    create_event_id: first,
    create_ts: first + 0.5,
    repo_id: first,
    extra: null,
    ...changes.buildroot,
  };
  return BuildRecord.parse({
    target: 't',
    sourcePackage: 'a-1-1.src.rpm',
    mode: 'tagged',
    canceled: false,
    tasks: [
      {
        id: build,
        name: 'build',
        info: {
          id: build,
          parent: null,
          channel_id: first,
          request: [`cli-build/${first}.x/a-1-1.src.rpm`, 't', {}],
        },
        result: buildId,
        fault: null,
        output: {},
        buildroots: [],
      },
      {
        id: task,
        name: 'build/buildArch noarch',
        info: { id: task, parent: build, weight: changes.weight ?? 1.5, request: [srpm, { repo_id: first }] },
        result: { rpms: [srpm], logs: first % 2 === 0 ? ['b', 'a'] : ['a', 'b'], brootid: buildroot },
        fault: { code: 1, text: `task ${task} in t-build-${buildroot}-${first}` },
        output: {
          'build.log': { DEFAULT: { st_size: String(first), st_mtime: first } },
          'a.rpm': { DEFAULT: { st_size: '7' } },
        },
        buildroots: [
          {
            info: root,
            packages: [
              { id: 5, nvr: 'bash-5-1', arch: 'x86_64', component_buildroot_id: buildroot, is_update: false },
            ],
          },
        ],
      },
    ],
    build: {
      info: { id: buildId, build_id: buildId, task_id: build, completion_ts: first },
      logs: [{ dir: 'noarch', name: 'build.log', path: 'packages/a/1/1/data/logs/noarch/build.log' }],
      rpms: [
        {
          id: first,
          nvr: 'a-1-1',
          arch: 'noarch',
          build_id: buildId,
          buildroot_id: buildroot,
          buildtime: first,
        },
      ],
      archives: [],
      tags: [{ id: 3, name: 't' }],
      types: { rpm: null },
    },
  });
}

describe('toFacts', () => {
  it('of two builds of one package are the same', () => {
    expect(factDifferences(toFacts(record(100)), toFacts(record(2001)))).toEqual([]);
  });

  it('name what is different by its path', () => {
    const ours = toFacts(record(2001, { weight: 2, buildroot: { extra: { a: 1 }, state: 2 } }));
    expect(factDifferences(toFacts(record(100)), ours)).toEqual([
      { path: 'build/buildArch noarch/info/weight', kojid: '1.5', ours: '2' },
      { path: 'build/buildArch noarch/buildroot 1/state', kojid: '3', ours: '2' },
      { path: 'build/buildArch noarch/buildroot 1/extra', kojid: 'null', ours: null },
      { path: 'build/buildArch noarch/buildroot 1/extra/a', kojid: null, ours: '1' },
    ]);
  });

  it('leave versions alone that are the number of a task on a young hub', () => {
    const build = record(28);
    const [, buildArch] = build.tasks;
    const unzip = { id: 6, nvr: 'unzip-30-28', arch: 'noarch', version: '30', release: '28' };
    buildArch?.buildroots[0]?.packages.push(unzip);
    const facts = toFacts(build);
    const path = 'build/buildArch noarch/buildroot 1/packages/unzip-30-28.noarch';
    expect(facts.get(`${path}/nvr`)).toBe('unzip-30-28');
    expect(facts.get(`${path}/release`)).toBe('28');
  });

  it('tell what ids stand for', () => {
    const facts = toFacts(record(100));
    const own = 'build/buildArch noarch';
    expect(Object.fromEntries(facts)).toMatchObject({
      'build/result': '<build>',
      [`${own}/info/parent`]: '<task build>',
      [`${own}/info/request/0`]: `<task ${own}>/a-1-1.src.rpm`,
      [`${own}/result/rpms/<task ${own}>/a-1-1.src.rpm`]: '1',
      [`${own}/result/logs/a`]: '1',
      [`${own}/result/brootid`]: `<buildroot 1 of ${own}>`,
      [`${own}/fault/text`]: `task <task ${own}> in t-build-<buildroot 1 of ${own}>-<repo>`,
      [`${own}/buildroot 1/packages/bash-5-1.x86_64/is_update`]: 'false',
      [`${own}/buildroot 1/create_ts`]: '<time>',
      'record/rpms/a-1-1.noarch/buildroot_id': `<buildroot 1 of ${own}>`,
    });
  });

  it('keep whether a time is there, and sizes of all but logs', () => {
    const facts = toFacts(record(100, { buildroot: { create_ts: null } }));
    expect(facts.get('build/buildArch noarch/buildroot 1/create_ts')).toBe('null');
    expect(facts.get('build/buildArch noarch/output/a.rpm/DEFAULT/st_size')).toBe('7');
    expect(facts.get('build/buildArch noarch/output/build.log/DEFAULT')).toBe('{}');
  });
});
