import { DevChaosHub } from './dev-hub.ts';
import type { ChaosHub } from './hub.ts';
import { openRealChaosHub } from './real-hub.ts';
import type { Surroundings } from './surroundings.ts';

/** The real hub that the surroundings name, else a development hub in `directory`. */
export async function openChaosHub(directory: string, surroundings: Surroundings): Promise<ChaosHub> {
  return surroundings.realHub === null
    ? DevChaosHub.open(directory, surroundings.distribution)
    : openRealChaosHub(surroundings.realHub);
}
