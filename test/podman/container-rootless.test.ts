import { describe, it } from 'vitest';
import { describeContainerBackend } from '../contract/container-backend.contract.ts';
import { becomeOrdinaryUser, PodmanHarness, podmanMissing } from './container-harness.ts';
import { describePodman } from './container-podman.suite.ts';

const missing = podmanMissing() ?? becomeOrdinaryUser();

if (missing === undefined) {
  describeContainerBackend('rootless podman', () => PodmanHarness.open());
  describePodman('rootless podman');
} else {
  describe.skip('rootless podman', () => it(missing, () => undefined));
}
