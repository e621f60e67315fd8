import { describe, it } from 'vitest';
import { describeContainerManager } from '../contract/container-manager.contract.ts';
import { becomeOrdinaryUser, PodmanHarness, podmanMissing } from './container-harness.ts';

const missing = podmanMissing() ?? becomeOrdinaryUser();

if (missing === undefined) describeContainerManager('rootless podman', () => PodmanHarness.open());
else describe.skip('ContainerManager: rootless podman', () => it(missing, () => undefined));
