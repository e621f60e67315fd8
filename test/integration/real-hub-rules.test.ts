import { describe, it } from 'vitest';
import { describeHubRules } from '../contract/hub-rules.contract.ts';
import { openRealHub } from './real-hub.ts';

const environmentFile = process.env['KOJI_TEST_HUB'];

if (environmentFile === undefined)
  describe('real hub', () => {
    it.skip('is not there: set KOJI_TEST_HUB to the env.sh of a running hub');
  });
else describeHubRules('real hub', () => openRealHub(environmentFile));
