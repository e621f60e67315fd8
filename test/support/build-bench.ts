import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import { build } from '../../src/tasks/build/index.ts';
import { buildRow, packageRow, repoRow, targetRow } from './hub-rows.ts';
import { type SourceRpm, toSourceRpm } from './source-rpm.ts';
import { openTaskBench } from './task-bench.ts';

export const src = 'cli-build/1.2/hello-1.0-1.src.rpm';
export const rebuilt = 'tasks/101/101/hello-1.0-1.src.rpm';
export const built = (arch: string, more: Record<string, RpcValue> = {}): RpcValue => ({
  rpms: [`tasks/102/102/hello-1.0-1.${arch}.rpm`],
  srpms: [],
  logs: ['tasks/102/102/build.log'],
  brootid: 9,
  ...more,
});
export const keptSrpm = 'tasks/102/102/hello-1.0-1.src.rpm';

/** Task 5 as a build of `hello` whose children all succeed: 101 makes the source package, 102 and on build. */
export async function openBuildBench(kojid: readonly string[] = [], rpm: SourceRpm = {}) {
  const bench = await openTaskBench({ method: 'build', kojid });
  await bench.put(`work/${src}`, toSourceRpm(rpm));
  await bench.put(`work/${rebuilt}`, toSourceRpm(rpm));
  bench.session
    .on('getBuildTarget', targetRow())
    .on('host.assertPolicy', null)
    .on('repo.request', { repo: repoRow(), request: null })
    .on('getLastEvent', { id: 600, ts: 1.5 })
    .on('getPackageConfig', packageRow())
    .on('host.initBuild', 90)
    .on('host.completeBuild', buildRow())
    .on('host.failBuild', null)
    .on('host.moveBuildToScratch', null);
  bench.children({
    srpm: { srpm: rebuilt, source: { source: 'hello-1.0-1.src.rpm', url: 'hello-1.0-1.src.rpm' } },
    x86_64: built('x86_64', { srpms: [keptSrpm] }),
    i386: built('i386'),
    noarch: built('noarch', { srpms: [keptSrpm] }),
    waitrepo: repoRow({ id: 71 }),
    tag: null,
  });
  const children = () =>
    bench.session.of('host.subtask').map(({ keywords: { method, label, arch, arglist } }) => ({
      method,
      label: label ?? null,
      arch: arch ?? null,
      arglist,
    }));
  const run = (target: RpcValue, opts: RpcValue = {}) => bench.run(build, src, target, opts);
  return { ...bench, children, run };
}
