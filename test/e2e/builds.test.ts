import { describeBuilds } from './build-suite.ts';
import { openDevHub } from './dev-hub.ts';

describeBuilds('builds for the development hub', openDevHub);
