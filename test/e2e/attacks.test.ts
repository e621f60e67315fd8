import { describeAttacks } from './attacks.suite.ts';
import { describeE2e } from './surroundings.ts';

describeE2e('a hostile build', () => describeAttacks('with a rootful engine', 'rootful'));
