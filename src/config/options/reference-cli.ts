import { renderReference } from './reference.ts';

// `npm run docs` sends this to docs/config-reference.md.
process.stdout.write(renderReference());
