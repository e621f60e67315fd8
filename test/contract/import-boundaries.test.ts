import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { areaOf, importProblem, mayImport } from '../../scripts/lint/import-boundaries.ts';

const source = join(import.meta.dirname, '../../src');

type Import = readonly [from: string, specifier: string, ...names: readonly string[]];

const allowed: readonly Import[] = [
  ['cli.ts', './commands/daemon.ts'],
  ['cli.ts', './commands/devhub.ts'],
  ['cli.ts', './core/clock.ts', 'systemClock'],
  ['commands/x.ts', '../assembly/container-engine.ts'],
  ['commands/x.ts', '../core/clock.ts', 'Clock'],
  ['commands/x.ts', 'commander'],
  ['commands/devhub.ts', '../devhub/run.ts'],
  ['assembly/x.ts', '../container/podman/podman-runtime.ts'],
  ['assembly/x.ts', '../container/podman/api/socket.ts'],
  ['assembly/x.ts', '../core/clock.ts', 'systemClock'],
  ['core/x.ts', './clock.ts'],
  ['hub/xmlrpc/x.ts', '../faults.ts'],
  ['hub/auth/x.ts', '../xmlrpc/codec.ts'],
  ['hub/session/x.ts', '../transport/transport.ts'],
  ['container/podman/x.ts', '../spec.ts'],
  ['container/podman/api/x.ts', 'dockerode'],
  ['policy/x.ts', '../config/options/adjutant.ts'],
  ['buildroot/x.ts', '../logs/log-file.ts'],
  ['buildroot/x.ts', './rpmbuild/sandbox.ts'],
  ['buildroot/rpmbuild/x.ts', '../root/prepared-root.ts'],
  ['buildroot/report/x.ts', '../root/installed-packages.ts'],
  ['buildroot/plan/x.ts', '../../container/spec.ts'],
  ['buildroot/plan/site-rules.ts', 'node:fs/promises'],
  ['buildroot/plan/x.ts', 'zod'],
  ['tasks/build/x.ts', './y.ts'],
  ['tasks/build/parts/x.ts', '../y.ts'],
  ['tasks/build/x.ts', '../adapter.ts'],
  ['tasks/build/x.ts', '../../buildroot/buildroot.ts'],
  ['tasks/registry.ts', './build/index.ts'],
  ['daemon/x.ts', '../tasks/registry.ts'],
  ['daemon/recovery/x.ts', '../run/supervisor.ts'],
  ['devhub/x.ts', '../hub/xmlrpc/codec.ts'],
  ['demo/main.ts', '../core/clock.ts', 'systemClock'],
  ['terminal/x.ts', '../core/printable.ts'],
];

const forbidden: readonly Import[] = [
  // Only cli.ts imports commands, only commands assembly, only assembly Podman and the real clock.
  ['assembly/x.ts', '../commands/daemon.ts'],
  ['daemon/x.ts', '../commands/daemon.ts'],
  ['daemon/x.ts', '../assembly/local-state.ts'],
  ['standalone/x.ts', '../assembly/local-state.ts'],
  ['cli.ts', './assembly/container-engine.ts'],
  ['commands/x.ts', '../container/podman/podman-runtime.ts'],
  ['doctor/x.ts', '../container/podman/api/socket.ts'],
  ['buildroot/x.ts', '../container/podman/podman-runtime.ts'],
  ['container/x.ts', './podman/api/socket.ts'],
  ['container/podman/x.ts', '../fake/fake-runtime.ts'],
  ['commands/x.ts', '../core/clock.ts', 'systemClock'],
  ['daemon/x.ts', '../core/clock.ts', 'Clock', 'systemClock'],
  // Intake knows nothing of running tasks, the daemon no task folder.
  ['daemon/intake/x.ts', '../run/supervisor.ts'],
  ['daemon/intake/x.ts', '../daemon.ts'],
  ['daemon/run/x.ts', '../intake/task-source.ts'],
  ['daemon/x.ts', '../tasks/build/index.ts'],
  ['daemon/x.ts', '../container/podman/podman-runtime.ts'],
  ['daemon/x.ts', '../../test/support/fake-clock.ts'],
  // Tasks know no daemon, no cache and no other task.
  ['tasks/x.ts', './build/index.ts'],
  ['tasks/x.ts', '../daemon/daemon.ts'],
  ['tasks/build/x.ts', '../build-arch/index.ts'],
  ['tasks/build/x.ts', '../registry.ts'],
  ['tasks/build/x.ts', '../../daemon/run/outcome.ts'],
  ['tasks/build/x.ts', '../../container/podman/api/socket.ts'],
  ['tasks/build/x.ts', '../../cache/eviction.ts'],
  ['tasks/x.ts', '../config/options/kojid.ts'],
  // plan <- steps <- solve <- root <- rpmbuild; report <- root.
  ['buildroot/plan/x.ts', '../steps/step-runner.ts'],
  ['buildroot/steps/x.ts', '../solve/root-solver.ts'],
  ['buildroot/solve/x.ts', '../root/prepared-root.ts'],
  ['buildroot/root/x.ts', '../rpmbuild/sandbox.ts'],
  ['buildroot/rpmbuild/x.ts', '../report/hub-record.ts'],
  ['buildroot/report/x.ts', '../rpmbuild/sandbox.ts'],
  ['buildroot/steps/x.ts', '../build-environment.ts'],
  ['buildroot/plan/x.ts', '../../container/errors.ts'],
  ['buildroot/plan/x.ts', '../host.ts'],
  ['buildroot/plan/x.ts', 'node:fs/promises'],
  ['buildroot/x.ts', '../tasks/errors.ts'],
  // What lies lower knows nothing of the hub, and the wire nothing of sessions.
  ['cache/x.ts', '../hub/files.ts'],
  ['container/x.ts', '../hub/faults.ts'],
  ['journal/x.ts', '../hub/session/session.ts'],
  ['logs/x.ts', '../hub/files.ts'],
  ['logs/x.ts', '../upload/uploader.ts'],
  ['hub/xmlrpc/x.ts', '../session/session.ts'],
  ['hub/transport/x.ts', '../api/host.ts'],
  ['hub/x.ts', '../config/schema.ts'],
  ['hub/auth/x.ts', '../../rpm/nvr.ts'],
  // Builds without a task are that; development stays outside; what draws knows nothing of what it draws.
  ['standalone/x.ts', '../tasks/adapter.ts'],
  ['standalone/compare/x.ts', '../../daemon/daemon.ts'],
  ['doctor/x.ts', '../devhub/run.ts'],
  ['commands/x.ts', '../devhub/run.ts'],
  ['commands/x.ts', '../demo/run.ts'],
  ['standalone/rebuild/x.ts', '../../demo/run.ts'],
  ['terminal/x.ts', '../core/clock.ts'],
  ['devhub/x.ts', '../hub/session/session.ts'],
  ['devhub/x.ts', '../tasks/params.ts'],
  // The rest.
  ['core/x.ts', '../hub/faults.ts'],
  ['config/x.ts', '../hub/faults.ts'],
  ['rpm/x.ts', '../container/spec.ts'],
  ['policy/x.ts', '../buildroot/errors.ts'],
  ['container/x.ts', 'dockerode'],
  ['commands/x.ts', 'dockerode'],
  ['config/load.ts', 'commander'],
  ['unheard-of/x.ts', '../core/clock.ts'],
  ['hub/unheard-of/x.ts', '../../core/clock.ts'],
  ['loose.ts', './core/clock.ts'],
  ['core/x.ts', '../loose.ts'],
];

describe('import boundaries', () => {
  it.each(allowed)('let %s import %s', (from, specifier, ...names) => {
    expect(importProblem(from, specifier, names)).toBeNull();
  });

  it.each(forbidden)('keep %s from importing %s', (from, specifier, ...names) => {
    expect(importProblem(from, specifier, names)).not.toBeNull();
  });

  it('have a row for every file, and name nothing that is not there', () => {
    const files = globSync('**/*.ts', { cwd: source });
    const areas = new Set(files.map(areaOf));

    expect(files.filter((file) => areaOf(file) === null)).toEqual([]);
    expect([...mayImport.keys()].filter((area) => !areas.has(area))).toEqual([]);
    const names = [...mayImport.values()].flat().map((name) => name.replace(/\/\*\*$/, ''));
    expect(names.filter((name) => !areas.has(name) && !files.includes(name))).toEqual([]);
  });

  it('let plans see no more of containers than types', () => {
    const spec = readFileSync(join(source, 'container/spec.ts'), 'utf8');

    expect(spec).not.toMatch(/^(?:export )?(?:const|let|class|function|enum|async)\b/m);
  });
});
