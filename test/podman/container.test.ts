import { describe, it } from 'vitest';
import { describeContainerBackend } from '../contract/container-backend.contract.ts';
import { PodmanHarness, podmanMissing } from './container-harness.ts';
import { describePodman } from './container-podman.suite.ts';

const missing = podmanMissing();

if (missing === undefined) {
  describeContainerBackend('podman of this user', () => PodmanHarness.open());
  describePodman('podman of this user');
} else {
  describe.skip('podman of this user', () => it(missing, () => undefined));
}
