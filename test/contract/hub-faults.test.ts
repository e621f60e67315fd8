import { openDevHub } from './hub/open-dev-hub.ts';
import { describeHubFaults } from './hub-faults.contract.ts';

// Every call; the other troubles take longer and are in test/integration.
describeHubFaults('calls to a hub that compares their numbers', openDevHub, {
  numbered: true,
  troubles: ['lost-request', 'lost-reply'],
});
