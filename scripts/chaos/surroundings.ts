/** What the environment says of the machine (the head of scripts/test.sh). */
export interface Surroundings {
  readonly distribution: string;
  readonly image: string;
  readonly engineConfiguration: string;
  /** The env.sh of a running real hub, or null. */
  readonly realHub: string | null;
}

export function surroundingsOf(env: NodeJS.ProcessEnv): Surroundings {
  const need = (name: string): string => {
    const text = env[name];
    if (text === undefined || text === '')
      throw new Error(`${name} is not set: see the head of scripts/test.sh`);
    return text;
  };
  return {
    distribution: need('KOJI_ADJUTANT_TEST_DISTRO'),
    image: need('KOJI_ADJUTANT_TEST_IMAGE'),
    engineConfiguration: need('KOJI_ADJUTANT_TEST_ENGINE_CONF'),
    realHub: env['KOJI_TEST_HUB'] ?? null,
  };
}
