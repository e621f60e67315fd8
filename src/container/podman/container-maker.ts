import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { describeError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { ContainerError } from '../errors.ts';
import { parseLabels } from '../labels.ts';
import type { ContainerId, ContainerSpec, Owner } from '../spec.ts';
import { type Engine, libpod } from './api/client.ts';
import { inspectContainer } from './api/container-state.ts';
import { Created, type InspectedContainer } from './api/schema.ts';
import type { HostSecurity } from './create/security.ts';
import { SelinuxLevels } from './create/selinux-levels.ts';
import { createHint } from './create/start-failure-hint.ts';
import { type CreateContext, toCreateOptions, type Ulimits } from './create/to-create-options.ts';
import { removeContainer } from './remove-container.ts';

export interface ContainerMakerOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly security: HostSecurity;
  /** Output of containers, one file each. */
  readonly logDir: string;
  /** What containers get unless their spec says otherwise. */
  readonly ulimits: Ulimits;
}

/** What the mounts of a container need that is made. */
export interface MakeContext extends Pick<CreateContext, 'root' | 'mounts' | 'overlayVolumes' | 'masked'> {
  /** Containers whose roots it uses. */
  readonly lentBy: readonly ContainerId[];
}

/** Makes containers of the engine, those of steps and those that only hold a root, and removes them. */
export class ContainerMaker {
  readonly #options: ContainerMakerOptions;
  readonly #levels: SelinuxLevels;

  constructor(options: ContainerMakerOptions) {
    this.#options = options;
    this.#levels = new SelinuxLevels(options.engine);
  }

  /** Where the output of a container goes. */
  logPath(name: string): string {
    return join(this.#options.logDir, `${name}.log`);
  }

  /** Makes a container; nothing runs yet. `checkSpec` has passed the spec. */
  async make(
    spec: ContainerSpec,
    { lentBy, ...parts }: MakeContext,
    signal: AbortSignal,
  ): Promise<ContainerId> {
    const { security, ulimits } = this.#options;
    const seccomp = await security.seccomp(signal);
    const context = {
      ...parts,
      logPath: this.logPath(spec.name),
      defaultUlimits: ulimits,
      ...(seccomp.kind === 'extended'
        ? { seccompProfile: spec.userNamespaces === true ? seccomp.openPath : seccomp.path }
        : {}),
    };
    if (!(await security.hasSelinux(signal))) return this.#create(spec, context);
    return this.#levels.withLevel(
      { owner: spec.owner, lentBy },
      (selinuxLevel) => this.#create(spec, { ...context, selinuxLevel }),
      (made) => this.remove(made),
      signal,
    );
  }

  /** The container that a previous run of the worker has made for this task by this name. */
  async find(name: string, owner: Owner, signal: AbortSignal): Promise<InspectedContainer | null> {
    try {
      const found = await inspectContainer(this.#options.engine, this.#options.clock, name, signal);
      const its = parseLabels(found.Config.Labels ?? {});
      return its?.workerId === owner.workerId && its.taskId === owner.taskId ? found : null;
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-container') return null;
      throw error;
    }
  }

  /** Kills and removes a container with its output, whatever its state; fine when it is gone already. */
  async remove(id: ContainerId): Promise<void> {
    const name = await this.#nameOf(id);
    await removeContainer(this.#options.engine, id, this.#options.clock);
    if (name !== undefined) await rm(this.logPath(name), { force: true });
  }

  /** Never aborted half-way: a container that the engine makes after its caller has left would be orphaned. */
  async #create(spec: ContainerSpec, context: CreateContext): Promise<ContainerId> {
    try {
      const created = await this.#options.engine.call(Created, {
        what: `create container ${spec.name}`,
        method: 'POST',
        path: `${libpod}/containers/create`,
        body: toCreateOptions(spec, context),
        ok: [201],
      });
      return created.Id;
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'runtime-down')
        await this.#removeUnanswered(spec);
      if (!(error instanceof ContainerError)) throw error;
      const hint = createHint(error.message);
      throw hint === '' ? error : new ContainerError(error.code, `${error.message}${hint}`, { cause: error });
    }
  }

  /** After a lost answer: the container may be there. One that has been started is another's. */
  async #removeUnanswered(spec: ContainerSpec): Promise<void> {
    try {
      const found = await inspectContainer(this.#options.engine, this.#options.clock, spec.name);
      const owner = parseLabels(found.Config.Labels ?? {});
      if (found.State.Status === 'created' && owner?.workerId === spec.owner.workerId)
        await this.remove(found.Id);
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-container') return;
      this.#options.logger.warn(
        { name: spec.name, err: describeError(error) },
        'cannot tell whether a container was created; the next start removes it',
      );
    }
  }

  async #nameOf(id: ContainerId): Promise<string | undefined> {
    try {
      return (await inspectContainer(this.#options.engine, this.#options.clock, id)).Name;
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-container') return undefined;
      throw error;
    }
  }
}
