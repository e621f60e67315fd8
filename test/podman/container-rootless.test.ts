import { describe, it } from 'vitest';
import { describeContainerManager } from '../contract/container-manager.contract.ts';
import { becomeOrdinaryUser, PodmanHarness, podmanMissing } from './container-harness.ts';
import { describePodman } from './container-podman.suite.ts';

const missing = podmanMissing() ?? becomeOrdinaryUser();

if (missing === undefined) {
  describeContainerManager('rootless podman', () => PodmanHarness.open());
  describePodman('rootless podman');
} else {
  describe.skip('rootless podman', () => it(missing, () => undefined));
}
