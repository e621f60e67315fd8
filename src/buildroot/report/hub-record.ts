import type { BuildrootsApi } from '../../hub/api/buildroots.ts';
import type { ListedPackage } from '../root/installed-packages.ts';

/** How long the last call about a buildroot may take when its task has been stopped. */
const finalReportMs = 30_000;

/**
 * A buildroot as the hub records it: INIT, then its packages, then BUILDING, then the packages that the
 * build requirements added, then EXPIRED, which disposing makes sure of.
 */
export class HubBuildroot implements AsyncDisposable {
  readonly id: number;
  readonly #hub: BuildrootsApi;
  readonly #taskId: number;
  #expired = false;

  private constructor(id: number, taskId: number, hub: BuildrootsApi) {
    this.id = id;
    this.#taskId = taskId;
    this.#hub = hub;
  }

  /** Registers a new buildroot of the task. */
  static async register(
    hub: BuildrootsApi,
    repoId: number,
    arch: string,
    taskId: number,
    signal: AbortSignal,
  ): Promise<HubBuildroot> {
    return new HubBuildroot(await hub.newBuildRoot(repoId, arch, taskId, signal), taskId, hub);
  }

  /** The root is made: tells the hub what it consists of. */
  async prepared(packages: readonly ListedPackage[], signal: AbortSignal): Promise<void> {
    await this.#hub.setBuildRootList(this.id, packages, this.#taskId, signal);
  }

  async building(signal: AbortSignal): Promise<void> {
    await this.#hub.setBuildRootState(this.id, 'building', signal);
  }

  /** Packages that were added since `prepared`; the hub skips those it knows. */
  async updated(packages: readonly ListedPackage[], signal: AbortSignal): Promise<void> {
    await this.#hub.updateBuildRootList(this.id, packages, this.#taskId, signal);
  }

  async expire(signal: AbortSignal): Promise<void> {
    if (this.#expired) return;
    await this.#hub.setBuildRootState(this.id, 'expired', signal);
    this.#expired = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.expire(AbortSignal.timeout(finalReportMs));
  }
}
