import type { Readable } from 'node:stream';
import { ContainerError } from '../../container/errors.ts';
import type { ContainerId } from '../../container/spec.ts';
import type { Container } from '../../container/step-runtime.ts';
import { BuildrootStepFailed } from '../errors.ts';
import { buildUser } from '../plan/mock-environment.ts';
import type { PreparedRoot } from '../root/prepared-root.ts';
import { codeContainer, shellContainer } from '../steps/container-specs.ts';
import type { RootContext } from '../steps/root-context.ts';
import type { Verdict } from '../steps/step-failure.ts';
import type { StepName } from '../steps/step-name.ts';
import { runPackageCode } from '../steps/step-runner.ts';

/** A step that runs a script with code of the package. */
export interface CodeStep {
  readonly name: StepName;
  /** Short name for containers and files: `source`, `build`. */
  readonly phase: string;
  /** The how manieth of its phase it is. */
  readonly attempt: number;
  readonly script: string;
  /** What does it again in a shell. */
  readonly repeat: string;
  readonly verdict: Verdict;
  /** The step that it follows: it finds what that one has left in the root, and that one's container has it no more. */
  readonly after?: ContainerId;
}

/** Runs code of a package in layers on prepared roots, so that no other package sees what it has left there. */
export class Sandbox {
  readonly #context: RootContext;

  constructor(context: RootContext) {
    this.#context = context;
  }

  /** Throws `BuildrootStepFailed` for a status that the verdict does not allow. */
  async run(root: PreparedRoot, step: CodeStep, signal: AbortSignal): Promise<EndedCode> {
    const { name, phase, attempt, script, verdict, after = null } = step;
    const { host, request } = this.#context;
    await this.#context.write(`in/${phase}-${attempt}.sh`, script);
    const spec = codeContainer(host, request, { phase, attempt }, root.root, after);
    const container = await this.#context.steps.containers.make(spec, signal);
    try {
      const code = await runPackageCode(this.#context, name, container, verdict, signal);
      return new EndedCode(this.#context, code, container);
    } catch (error) {
      if (error instanceof BuildrootStepFailed) await this.#keep(container, step.repeat, error);
      throw error;
    }
  }

  /** Leaves what a failed step has made to those who keep it for people, where it is kept at all. */
  async #keep(container: Container, repeat: string, failure: BuildrootStepFailed): Promise<void> {
    const { host, request, logs } = this.#context;
    const { failed } = host.cache;
    if (failed.lifetimeMs === 0) return;
    const { taskId, buildrootId } = request;
    this.#context.steps.containers.handOver(container);
    failed.keep({
      taskId,
      buildrootId,
      failure: failure.message,
      repeat,
      container,
      shell: (root) => shellContainer(host, request, root),
    });
    if (taskId !== 0) await logs.root.write(`${keptWords(taskId, host.hostname, failed.lifetimeMs)}\n`);
  }
}

/** Where what a failed task has left can be looked at, and for how long. */
function keptWords(taskId: number, hostname: string, lifetimeMs: number): string {
  const hours = Math.round(lifetimeMs / 360_000) / 10;
  return `the buildroot is kept on ${hostname} for ${hours} h: koji-adjutant shell ${taskId}`;
}

/** A step that has ended, and what it has left, until it is let go. */
export class EndedCode {
  readonly code: number;
  readonly #context: RootContext;
  readonly #container: Container;

  constructor(context: RootContext, code: number, container: Container) {
    this.#context = context;
    this.code = code;
    this.#container = container;
  }

  /** Has its layer, for a step that continues from there. */
  get container(): ContainerId {
    return this.#container.id;
  }

  /** A tar stream of a directory below `%_topdir`; null when it is gone. */
  async copyOut(place: 'RPMS' | 'SRPMS', signal: AbortSignal): Promise<Readable | null> {
    try {
      return await this.#container.copyOut(`${buildUser.home}/build/${place}`, signal);
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-path') return null;
      throw error;
    }
  }

  /** Begins to remove its container. */
  remove(): void {
    this.#context.steps.containers.remove(this.#container);
  }
}
