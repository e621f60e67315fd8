// Preloaded by Node.js into daemons that tests start (`--import`), never by the product: to them this machine has nothing
// else to do. What loads it is tests, and a host above its limit would refuse the tasks of all others. The limit itself has
// its own tests.
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

os.loadavg = () => [0, 0, 0];
syncBuiltinESMExports();
