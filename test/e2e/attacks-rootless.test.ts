import { it } from 'vitest';
import { describeAttacks } from './attacks.suite.ts';
import { describeE2e, ordinaryUser } from './surroundings.ts';

const user = ordinaryUser();

describeE2e('a hostile build of an ordinary user', () => {
  if (typeof user === 'string') {
    it('needs one', ({ skip }) => skip(user));
    return;
  }
  // This process becomes that user, for good.
  process.setgroups?.([user.gid]);
  process.setgid?.(user.gid);
  process.setuid?.(user.uid);
  process.env['HOME'] = user.home;
  process.env['KOJI_ADJUTANT_TEST_ENGINE_SOCKET'] = user.socket;
  describeAttacks('with a rootless engine', 'rootless');
});
