import { describe, it } from 'vitest';
import { describeContainerManager } from '../contract/container-manager.contract.ts';
import { PodmanHarness, podmanMissing } from './container-harness.ts';

const missing = podmanMissing();

if (missing === undefined) describeContainerManager('podman of this user', () => PodmanHarness.open());
else describe.skip('ContainerManager: podman of this user', () => it(missing, () => undefined));
