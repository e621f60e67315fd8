import type { Logger } from '../../../core/logger.ts';
import { SingleFlight } from '../../../core/single-flight.ts';
import { askInfo, type Engine } from '../api/client.ts';
import type { EngineSecurity } from '../api/schema.ts';
import { prepareSeccomp, type SeccompChoice } from './seccomp.ts';

const noProfile: SeccompChoice = { kind: 'own', because: 'no profile was asked for' };

/**
 * What the engine's host has to confine containers with. The engine takes a quarter of a second to tell, and many under
 * load: it is asked when the first container is made, unless it was asked about itself before.
 */
export class HostSecurity {
  readonly #engine: Engine;
  readonly #seccompPath: string | undefined;
  readonly #logger: Logger;
  readonly #asking = new SingleFlight(async (signal) => (await askInfo(this.#engine, signal)).host.security);
  readonly #choosing = new SingleFlight((signal) => this.#chooseSeccomp(signal));
  #known: EngineSecurity | undefined;
  #seccomp: SeccompChoice | undefined;

  constructor(engine: Engine, seccompPath: string | undefined, logger: Logger) {
    this.#engine = engine;
    this.#seccompPath = seccompPath;
    this.#logger = logger;
  }

  /** The engine has just told. */
  learn(security: EngineSecurity): void {
    this.#known = security;
  }

  /** What containers are filtered with. */
  async seccomp(signal: AbortSignal): Promise<SeccompChoice> {
    return this.#seccomp ?? this.#choosing.join(signal);
  }

  /** Whether SELinux is on. Where the engine's own configuration says that containers get no labels, it ignores levels. */
  async hasSelinux(signal: AbortSignal): Promise<boolean> {
    return (await this.#ask(signal)).selinuxEnabled === true;
  }

  async #ask(signal: AbortSignal): Promise<EngineSecurity> {
    this.#known ??= await this.#asking.join(signal);
    return this.#known;
  }

  async #chooseSeccomp(signal: AbortSignal): Promise<SeccompChoice> {
    if (this.#seccompPath === undefined) return noProfile;
    const choice = await prepareSeccomp(await this.#ask(signal), this.#seccompPath);
    if (choice.kind === 'own') {
      this.#logger.warn(
        `containers keep the engine's own seccomp filter, under which "setarch -R" fails in builds and user namespaces can be made: ${choice.because}`,
      );
    }
    this.#seccomp = choice;
    return choice;
  }
}
