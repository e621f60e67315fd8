import { describe, it } from 'vitest';
import { describeBuilds } from './build-suite.ts';
import { openRealTestHub } from './real-hub.ts';

const environmentFile = process.env['KOJI_TEST_HUB'];

if (environmentFile === undefined)
  describe('builds for a real hub', () => {
    it('need one', ({ skip }) => skip('KOJI_TEST_HUB does not name the env.sh of a running hub'));
  });
else describeBuilds('builds for a real hub', () => openRealTestHub(environmentFile));
