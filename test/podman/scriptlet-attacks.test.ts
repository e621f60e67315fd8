import { describe } from 'vitest';
import { describeScriptletAttacks } from './scriptlet-attacks.suite.ts';
import { missing } from './tag-root-harness.ts';

describe.skipIf(missing !== '')(`with a rootful engine${missing}`, () =>
  describeScriptletAttacks('scriptlets of a hostile package'),
);
