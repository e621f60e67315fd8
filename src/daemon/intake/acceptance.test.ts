import { describe, expect, it } from 'vitest';
import { noControl } from '../../../test/support/host-control.ts';
import { repoRow, tagRow, targetRow, taskRow } from '../../../test/support/hub-rows.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { hubFault, ScriptedSession } from '../../../test/support/scripted-session.ts';
import { acceptRules } from '../../config/options/accept-rules.ts';
import { never } from '../../core/never.ts';
import { hubApis } from '../../hub/api/apis.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { taskRegistry } from '../../tasks/registry.ts';
import {
  neededPurpose,
  type TaskPurpose,
  whyMethodRefused,
  whyNotAccepted,
  whyPurposeRefused,
} from './acceptance.ts';
import { Offer } from './offer.ts';

const parseRules = (text: string) => acceptRules.schema.parse(text);

type Request = readonly RpcValue[];

/** A chain of tasks, the first of which is asked about; each is the child of the next. */
async function ask(accept: string, ...chain: readonly [method: string, request: Request][]) {
  const session = new ScriptedSession()
    .on('getTaskInfo', ({ params: [id] }) => {
      const [method, request] = chain[Number(id) - 1] ?? [];
      if (method === undefined || request === undefined) return null;
      const parent = Number(id) < chain.length ? Number(id) + 1 : null;
      return taskRow({ id: Number(id), method, request, parent });
    })
    .on('getTag', ({ params: [tag] }) => (tag === 11 ? tagRow() : null))
    .on('getBuildTarget', ({ params: [name] }) => (name === 'f1' ? targetRow() : null))
    .on('repoInfo', ({ params: [id] }) => (id === 70 ? repoRow() : null));
  const apis = hubApis(session, new ManualClock());
  const registry = taskRegistry(noControl);
  const [[method] = ['none']] = chain;
  const rules = parseRules(accept);
  const signal = never;
  const offer = new Offer({ id: 1, method }, 'hub', registry, apis.host);
  const why = await whyNotAccepted(offer, rules, { registry, ...apis }, signal);
  return { why: why === null ? 'accepted' : (why.split('; this host')[0] ?? ''), calls: session.methods };
}

const scratchBuild: [string, Request] = ['build', ['cli/a.src.rpm', 'f1', { scratch: true }]];
const build: [string, Request] = ['build', ['cli/a.src.rpm', 'f1', {}]];
const arch: [string, Request] = ['buildArch', ['a.src.rpm', 11, 'x86_64', true, { repo_id: 70 }]];

describe('whyNotAccepted', () => {
  it.each<[string, [string, Request][], string, string[]]>([
    ['', [build], 'accepted', []],
    ['methods=build', [build], 'accepted', []],
    ['methods=buildArch', [build], 'it is a build task', []],
    ['methods=buildArch tags=f1-build', [build], 'it is a build task', []],

    ['tags=f1-build', [build], 'accepted', ['getTaskInfo', 'getBuildTarget']],
    ['tags=f2-build', [build], 'its build tag is f1-build', ['getTaskInfo', 'getBuildTarget']],
    ['scratch=only', [build], 'it belongs to no scratch build', ['getTaskInfo']],
    ['scratch=only', [scratchBuild], 'accepted', ['getTaskInfo']],
    ['scratch=no', [scratchBuild], 'it belongs to a scratch build', ['getTaskInfo']],
    ['tags=f1-build scratch=only', [scratchBuild], 'accepted', ['getTaskInfo', 'getBuildTarget']],

    ['tags=f1-build', [arch, build], 'accepted', ['getTaskInfo', 'getTag']],
    ['scratch=only', [arch, scratchBuild], 'accepted', ['getTaskInfo', 'getTaskInfo']],
    ['scratch=only', [arch, build], 'it belongs to no scratch build', ['getTaskInfo', 'getTaskInfo']],
    [
      'tags=f1-build scratch=only',
      [arch, scratchBuild],
      'accepted',
      ['getTaskInfo', 'getTaskInfo', 'getTag'],
    ],
    ['scratch=only', [['rebuildSRPM', ['a', 11, { scratch: true }]], build], 'accepted', ['getTaskInfo']],
    ['scratch=only', [['rebuildSRPM', ['a', 11]], scratchBuild], 'accepted', ['getTaskInfo', 'getTaskInfo']],
    ['tags=f1-build', [['rebuildSRPM', ['a', 11]], build], 'accepted', ['getTaskInfo', 'getTag']],

    // Tagging has no build tag of its own: the build it belongs to has.
    [
      'tags=f1-build',
      [['tagBuild', [10, 90]], build],
      'accepted',
      ['getTaskInfo', 'getTaskInfo', 'getBuildTarget'],
    ],
    ['tags=*', [['tagBuild', [10, 90]]], 'it has no build tag', ['getTaskInfo']],
    ['scratch=no', [['tagBuild', [10, 90]]], 'accepted', ['getTaskInfo']],

    ['tags=f1-build', [['newRepo', ['f1-build']]], 'accepted', ['getTaskInfo']],
    ['tags=f1-build', [['newRepo', [11]]], 'accepted', ['getTaskInfo', 'getTag']],
    [
      'tags=f1-build',
      [
        ['createrepo', [70, 'x86_64', null]],
        ['newRepo', [11]],
      ],
      'accepted',
      ['getTaskInfo', 'repoInfo'],
    ],
    ['scratch=only', [['newRepo', [11]]], 'it belongs to no scratch build', ['getTaskInfo']],
    ['tags=f1-build', [['waitrepo', ['f1-build']], build], 'accepted', ['getTaskInfo']],
    ['tags=f1-build', [['sleep', [1]]], 'it has no build tag', ['getTaskInfo']],

    ['methods=build tags=x scratch=only', [['shutdown', []]], 'accepted', []],
  ])('by "%s", of %j: %s', async (rules, chain, why, calls) => {
    expect(await ask(rules, ...chain)).toEqual({ why, calls });
  });

  it('takes the tag of a given repo for a build whose target is no target', async () => {
    const inRepo = (target: string | null): [string, Request] => ['build', ['a', target, { repo_id: 70 }]];

    expect((await ask('tags=f1-build', inRepo(null))).why).toBe('accepted');
    expect((await ask('tags=f1-build', inRepo('f1-candidate'))).why).toBe('accepted');
    expect((await ask('tags=f1-build', inRepo('f1'))).calls).toEqual(['getTaskInfo', 'getBuildTarget']);
  });

  it.each<[string, [string, Request]]>([
    ['whose target is unknown', ['build', ['a', 'nowhere', {}]]],
    ['whose tag is gone', ['buildArch', ['a', 12, 'x86_64', true, {}]]],
    ['whose repo is gone', ['createrepo', [71, 'x86_64', null]]],
    ['whose parameters cannot be read', ['build', [5, { odd: true }]]],
  ])('refuses a task %s when the tag matters', async (_what, task) => {
    expect((await ask('tags=*', task)).why).toBe('it has no build tag');
  });

  it('lets a fault of the hub through', async () => {
    const session = new ScriptedSession().on('getTaskInfo', hubFault(1014, 'offline'));
    const apis = hubApis(session, new ManualClock());
    const registry = taskRegistry(noControl);
    const rules = acceptRules.schema.parse('tags=x');
    const offer = new Offer({ id: 1, method: 'build' }, 'hub', registry, apis.host);
    const asked = whyNotAccepted(offer, rules, { registry, ...apis }, never);

    await expect(asked).rejects.toThrow('offline');
  });
});

describe('whyMethodRefused', () => {
  it.each([
    ['', 'build', null],
    ['tags=x scratch=only', 'newRepo', null],
    ['methods=build,buildArch', 'buildArch', null],
    [
      'methods=build,buildArch',
      'newRepo',
      'it is a newRepo task; this host is limited to methods=build,buildArch (accept in adjutant.conf)',
    ],
  ])('by "%s", of %s: %s', (rules, method, why) => {
    expect(whyMethodRefused(parseRules(rules), method)).toBe(why);
  });
});

describe('whyPurposeRefused', () => {
  const scratch = { buildTag: 'f1-build', scratch: true };
  const official = { buildTag: 'f1-build', scratch: false };
  const without = { buildTag: null, scratch: false };

  it.each<[string, TaskPurpose, RegExp | null]>([
    ['', without, null],
    ['methods=build', without, null],
    ['tags=f1-*', official, null],
    ['tags=f1-*', scratch, null],
    ['tags=f2-*', official, /^its build tag is f1-build; .* to tags=f2-\* /],
    ['tags=*', without, /^it has no build tag; /],
    ['tags=!f2-build', without, /^it has no build tag; /],
    ['scratch=only', scratch, null],
    ['scratch=only', official, /^it belongs to no scratch build; /],
    ['scratch=only', without, /^it belongs to no scratch build; /],
    ['scratch=no', scratch, /^it belongs to a scratch build; /],
    ['scratch=no', official, null],
    ['scratch=no', without, null],
    ['tags=f1-build scratch=only', scratch, null],
    ['tags=f1-build scratch=only', official, /no scratch build/],
    ['tags=f2-build scratch=only', scratch, /build tag is f1-build/],
  ])('by "%s", of %o: %s', (rules, purpose, why) => {
    const refused = whyPurposeRefused(parseRules(rules), purpose);

    if (why === null) expect(refused).toBeNull();
    else expect(refused).toMatch(why);
  });
});

describe('neededPurpose', () => {
  it.each([
    ['', false, false],
    ['methods=build', false, false],
    ['tags=x', true, false],
    ['scratch=no', false, true],
    ['scratch=only tags=x', true, true],
  ])('of "%s": tag %s, scratch %s', (rules, buildTag, scratch) => {
    expect(neededPurpose(parseRules(rules))).toEqual({ buildTag, scratch });
  });
});
