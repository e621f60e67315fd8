import { openDevHub } from './hub/open-dev-hub.ts';
import { describeHubRules } from './hub-rules.contract.ts';

describeHubRules('development hub', openDevHub);
