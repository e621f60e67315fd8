// hub.mjs DIR PORT DISTRIBUTION - a development hub with the test distribution and a builder, until SIGTERM.

import { systemClock } from '../../dist/core/clock.js';
import { runDevHub } from '../../dist/devhub/run.js';
import { seedDevHub } from '../../dist/devhub/seed.js';

const [dir, port, distribution] = process.argv.slice(2);
const hub = await runDevHub({ dir, port: Number(port), clock: systemClock });
await seedDevHub(hub, {
  distroRepo: `${distribution}/repo`,
  tagName: 'lab',
  arches: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
  extra: { 'rpm.macro.dist': '.td1' },
  packages: [],
  builder: { name: 'builder', password: 'builder', capacity: 4 },
  client: { name: 'lab', password: 'lab' },
});
console.log(`server = ${hub.url}\ntopurl = ${hub.filesUrl}\ntopdir = ${hub.topdir}`);
