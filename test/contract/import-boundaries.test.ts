import { describe, expect, it } from 'vitest';
import { importProblem } from '../../scripts/lint/import-boundaries.ts';

const allowed: readonly (readonly [from: string, specifier: string])[] = [
  ['core/x.ts', './clock.ts'],
  ['hub/xmlrpc/x.ts', '../faults.ts'],
  ['hub/auth/x.ts', '../xmlrpc/codec.ts'],
  ['container/podman/x.ts', '../spec.ts'],
  ['container/podman/x.ts', 'dockerode'],
  ['policy/x.ts', '../config/schema.ts'],
  ['buildroot/x.ts', '../logs/log-file.ts'],
  ['tasks/build/x.ts', './y.ts'],
  ['tasks/build/parts/x.ts', '../y.ts'],
  ['tasks/build/x.ts', '../adapter.ts'],
  ['tasks/build/x.ts', '../../buildroot/buildroot.ts'],
  ['tasks/registry.ts', './build/index.ts'],
  ['daemon/x.ts', '../tasks/registry.ts'],
  ['devhub/x.ts', '../hub/xmlrpc/codec.ts'],
  ['devhub/x.ts', '../hub/api/schema.ts'],
  ['commands/x.ts', '../daemon/daemon.ts'],
  ['assembly/x.ts', '../container/podman/podman-manager.ts'],
];

const forbidden: readonly (readonly [from: string, specifier: string])[] = [
  ['core/x.ts', '../hub/faults.ts'],
  ['hub/xmlrpc/x.ts', '../session/session.ts'],
  ['hub/x.ts', '../config/schema.ts'],
  ['hub/auth/x.ts', '../../rpm/nvr.ts'],
  ['config/x.ts', '../hub/faults.ts'],
  ['container/x.ts', './podman/api/socket.ts'],
  ['container/x.ts', 'dockerode'],
  ['container/podman/x.ts', '../fake/fake-manager.ts'],
  ['rpm/x.ts', '../container/spec.ts'],
  ['logs/x.ts', '../upload/uploader.ts'],
  ['policy/x.ts', '../buildroot/errors.ts'],
  ['buildroot/x.ts', '../tasks/errors.ts'],
  ['buildroot/x.ts', '../container/podman/podman-manager.ts'],
  ['tasks/x.ts', './build/index.ts'],
  ['tasks/x.ts', '../daemon/daemon.ts'],
  ['tasks/build/x.ts', '../build-arch/index.ts'],
  ['tasks/build/x.ts', '../registry.ts'],
  ['tasks/build/x.ts', '../../daemon/run/outcome.ts'],
  ['tasks/build/x.ts', '../../container/podman/api/socket.ts'],
  ['daemon/x.ts', '../tasks/build/index.ts'],
  ['daemon/x.ts', '../container/podman/podman-manager.ts'],
  ['daemon/x.ts', '../commands/daemon.ts'],
  ['daemon/x.ts', '../../test/support/fake-clock.ts'],
  ['devhub/x.ts', '../hub/session/session.ts'],
  ['devhub/x.ts', '../tasks/params.ts'],
  ['doctor/x.ts', '../container/podman/api/socket.ts'],
  ['unheard-of/x.ts', '../core/clock.ts'],
  ['commands/x.ts', 'dockerode'],
];

describe('import boundaries', () => {
  it.each(allowed)('let %s import %s', (from, specifier) => {
    expect(importProblem(from, specifier)).toBeNull();
  });

  it.each(forbidden)('keep %s from importing %s', (from, specifier) => {
    expect(importProblem(from, specifier)).not.toBeNull();
  });
});
