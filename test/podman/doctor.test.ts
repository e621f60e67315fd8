import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PodmanRuntime } from '../../src/container/podman/podman-runtime.ts';
import type { ResourceLimits } from '../../src/container/spec.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createLogger } from '../../src/core/logger.ts';
import { never } from '../../src/core/never.ts';
import { checkEngine } from '../../src/doctor/check-engine.ts';
import { hostArch } from '../../src/rpm/arch.ts';
import { allOf } from '../support/all-of.ts';
import { PodmanHarness, podmanMissing, testUlimits } from './container-harness.ts';

const socketPath = process.env['KOJI_ADJUTANT_TEST_ENGINE_SOCKET'] ?? '';
const image = process.env['KOJI_ADJUTANT_TEST_IMAGE'] ?? '';
const dnf5Image = process.env['KOJI_ADJUTANT_TEST_DNF5_IMAGE'] ?? '';
const noDnf5 = dnf5Image === '' ? ': KOJI_ADJUTANT_TEST_DNF5_IMAGE is not set (scripts/test.sh)' : '';
const noImage =
  socketPath === '' || image === ''
    ? ': KOJI_ADJUTANT_TEST_ENGINE_SOCKET and KOJI_ADJUTANT_TEST_IMAGE are not set (scripts/test.sh does)'
    : '';
const missing = podmanMissing();
const noPodman = missing === undefined ? '' : `: ${missing}`;

async function check(containers: PodmanRuntime, name: string, limits: ResourceLimits = { pids: 100 }) {
  const engine = {
    ...containers.ports,
    reached: { socketPath, kind: 'found' },
    seccomp: (by: AbortSignal) => containers.seccomp(by),
  } as const;
  const info = await containers.probe(never);
  const findings = await allOf(checkEngine(engine, info, { name, pull: 'never', limits }, hostArch(), never));
  // Another process may look at the same engine.
  const isOurs = ({ name: container }: { readonly name: string }) => container.includes(`-${process.pid}-`);
  expect((await containers.list('koji-adjutant-doctor', never)).filter(isOurs)).toEqual([]);
  return { info, findings, levels: Object.fromEntries(findings.map(({ what, level }) => [what, level])) };
}

describe.skipIf(noImage !== '')(`the doctor with the bootstrap image${noImage}`, () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'koji-adjutant-doctor-test-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const runtime = () =>
    new PodmanRuntime({
      socketPath,
      places: { workDir: dir, topDir: dir, logDir: dir },
      clock: systemClock,
      logger: createLogger('warn'),
      reconnectMs: 0,
      timeoutMs: 60_000,
      pullMs: 60_000,
      ulimits: testUlimits,
    });

  it('finds all that a build needs', () => findsAll(image));

  it.skipIf(noDnf5 !== '')(`finds all of it with dnf 5, too${noDnf5}`, () => findsAll(dnf5Image));

  async function findsAll(name: string): Promise<void> {
    const { info, levels } = await check(runtime(), name);

    expect(levels).toMatchObject({
      'container engine': 'ok',
      'default image': 'ok',
      [`OCI runtime ${info.details.runtime}`]: 'ok',
      'limits of containers': info.limitsEnforced ? 'ok' : 'warn',
      'tools of the default image': 'ok',
      'limits of builds': 'ok',
    });
  }

  it.each([
    [
      'memory',
      { pids: 100, memoryBytes: 2 ** 20 },
      'FAIL',
      /the memory limit is smaller than what a container needs/,
    ],
    // The runtime itself does not always get as far as the shell.
    ['processes', { pids: 1 }, 'FAIL', /a shell ended with|more than its limit of 1 processes to start/],
    [
      'an rlimit above the hard one',
      { pids: 100, ulimits: { nofile: { soft: 10 ** 9, hard: 10 ** 9 } } },
      'FAIL',
      /the ulimits are higher than this host allows/,
    ],
    ['processors', { pids: 100, cpus: 1000 }, 'warn', /so that limits nothing/],
  ] as const)('says which limits no build can meet: %s', async (_what, limits, level, words) => {
    const { findings } = await check(runtime(), image, limits);

    const found = findings.find(({ what }) => what === 'limits of builds');
    expect(found?.level).toBe(level);
    expect(JSON.stringify(found)).toMatch(words);
  });
});

describe.skipIf(noPodman !== '')(`the doctor with an image in which nothing is${noPodman}`, () => {
  it('fails and leaves no container', async () => {
    await using harness = await PodmanHarness.open();

    const { info, levels } = await check(harness.runtime, harness.image);

    expect(levels).toMatchObject({ 'default image': 'ok', [`OCI runtime ${info.details.runtime}`]: 'FAIL' });
  });
});
