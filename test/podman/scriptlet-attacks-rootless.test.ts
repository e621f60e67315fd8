import { describe, it } from 'vitest';
import { ordinaryUser } from '../e2e/surroundings.ts';
import { describeScriptletAttacks } from './scriptlet-attacks.suite.ts';
import { missing } from './tag-root-harness.ts';

const user = ordinaryUser();

describe.skipIf(missing !== '')(`with a rootless engine${missing}`, () => {
  if (typeof user === 'string') {
    it('needs an ordinary user', ({ skip }) => skip(user));
    return;
  }
  // This process becomes that user, for good.
  process.setgroups?.([user.gid]);
  process.setgid?.(user.gid);
  process.setuid?.(user.uid);
  process.env['HOME'] = user.home;
  process.env['KOJI_ADJUTANT_TEST_ENGINE_SOCKET'] = user.socket;
  describeScriptletAttacks('scriptlets of a hostile package');
});
