import { describe, it } from 'vitest';
import { openDevHub } from '../contract/hub/open-dev-hub.ts';
import { buildCases } from '../contract/hub-faults/build-cases.ts';
import { sessionCases } from '../contract/hub-faults/session-cases.ts';
import { taskCases } from '../contract/hub-faults/task-cases.ts';
import { describeHubFaults } from '../contract/hub-faults.contract.ts';
import { openRealHub } from './real-hub.ts';

describeHubFaults('calls to a hub that compares their numbers', openDevHub, { numbered: true });
describeHubFaults('calls to a hub that does not compare their numbers', openDevHub, {
  numbered: false,
  cases: [...sessionCases, ...taskCases, ...buildCases],
});

const environmentFile = process.env['KOJI_TEST_HUB'];

if (environmentFile === undefined)
  describe('calls to a real hub', () => {
    it.skip('need one: set KOJI_TEST_HUB to the env.sh of a running hub');
  });
else
  describeHubFaults('calls to a real hub', () => openRealHub(environmentFile), {
    numbered: true,
    isReal: true,
  });
