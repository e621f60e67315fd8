import { z } from 'zod';
import { type TinyRpm, toTinyRpm } from '../../support/tiny-rpm.ts';
import { type Fixture, target, unique } from './fixture.ts';

/** A build of the contract's own with its files uploaded, ready to be completed. */
export interface PreparedBuild {
  readonly task: number;
  readonly buildId: number;
  readonly name: string;
  readonly nvr: string;
  readonly srpm: string;
  readonly rpm: string;
  readonly log: string;
}

export function toSrpm(name: string, version = '1.0', changelog: TinyRpm['changelog'] = []): Buffer {
  return toTinyRpm({ name, version, release: '1', arch: 'x86_64', sourceRpm: null, changelog });
}

export function toNoarchRpm(name: string, summary?: string, version = '1.0'): Buffer {
  const rpm = { name, version, release: '1', arch: 'noarch', sourceRpm: `${name}-${version}-1.src.rpm` };
  return toTinyRpm(summary === undefined ? rpm : { ...rpm, summary });
}

/** What initBuild is told about a package of the contract's own. */
export function buildData(name: string, task: number, version = '1.0') {
  return { name, version, release: '1', epoch: null, task_id: task, source: null, extra: null };
}

/** Starts a build of a package, a new one unless named, in a task that is open, a new one unless given, and uploads its files. */
export async function prepareBuild(
  fixture: Fixture,
  name = unique('contract'),
  version = '1.0',
  openTask?: number,
  changelog: TinyRpm['changelog'] = [],
): Promise<PreparedBuild> {
  await fixture.hub.ensurePackage(target, name);
  const task = openTask ?? (await fixture.openTask());
  const data = buildData(name, task, version);
  const buildId = z.int().parse(await fixture.builder.call('host.initBuild', [data]));
  const nvr = `${name}-${version}-1`;
  return {
    task,
    buildId,
    name,
    nvr,
    srpm: await fixture.upload(task, `${nvr}.src.rpm`, toSrpm(name, version, changelog)),
    rpm: await fixture.upload(task, `${nvr}.noarch.rpm`, toNoarchRpm(name, undefined, version)),
    log: await fixture.upload(task, 'build.log', 'made\n'),
  };
}

export function completeBuild(fixture: Fixture, build: PreparedBuild) {
  const { task, buildId, srpm, rpm, log } = build;
  return fixture.builder.call('host.completeBuild', [task, buildId, srpm, [rpm], {}, { noarch: [log] }]);
}
