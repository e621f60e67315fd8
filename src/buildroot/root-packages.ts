import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerId } from '../container/spec.ts';
import { fetchContainer, installContainer, packagesDirectory } from './containers.ts';
import { BuildrootStepFailed, UnusableImage } from './errors.ts';
import { type InstalledPackage, parseInstalled } from './installed-packages.ts';
import type { RootGround } from './root-ground.ts';
import { type FetchGoal, fetchScript, installScript, noPackageManager, removalsFile } from './scripts.ts';
import { readSolverSettings } from './tag-settings.ts';

/** The packages of a root: transactions of one fetch phase and, when anything is missing, one install phase. */
export class RootPackages {
  readonly #ground: RootGround;
  readonly #root: ContainerId;
  #transactions = 0;
  #installed: readonly InstalledPackage[] = [];

  /** `root` is the container whose layer is filled. */
  constructor(ground: RootGround, root: ContainerId) {
    this.#ground = ground;
    this.#root = root;
  }

  /** What the root holds, as its own rpm database says. */
  get installed(): readonly InstalledPackage[] {
    return this.#installed;
  }

  /**
   * Adds what the goal wants, and removes what is in its way. True when the root has changed. The first transaction also makes the root's
   * directories and user. Throws `BuildrootStepFailed` with status 30 and `UnusableImage`.
   */
  async add(title: string, goal: FetchGoal, signal: AbortSignal): Promise<boolean> {
    this.#transactions += 1;
    const attempt = this.#transactions;
    const fresh = attempt === 1;
    await this.#fetch(title, goal, attempt, signal);
    const place = this.#ground.path(`fetch/${packagesDirectory(attempt)}`);
    const fetched = (await readdir(place)).filter((name) => name.endsWith('.rpm'));
    const removals = await readFile(join(place, removalsFile), 'utf8');
    if (fetched.length === 0 && removals === '' && !fresh) return false;
    await this.#install(title, attempt, signal);
    const listing = await readFile(this.#ground.path(`out-${attempt}/installed`), 'utf8');
    this.#installed = parseInstalled(listing);
    await rm(place, { recursive: true, force: true });
    return true;
  }

  async #fetch(title: string, goal: FetchGoal, attempt: number, signal: AbortSignal): Promise<void> {
    const { host, request } = this.#ground;
    const settings = {
      packages: packagesDirectory(attempt),
      releaseVersion: readSolverSettings(request.extra).releaseVersion,
      personality: request.personality,
    };
    await writeFile(this.#ground.path(`in/fetch-${attempt}.sh`), fetchScript(goal, settings));
    const parent = attempt === 1 ? null : this.#root;
    const spec = fetchContainer(host, request, attempt, parent);
    const code = await this.#ground.runBootstrap(`fetch ${title}`, spec, signal);
    if (code === noPackageManager) throw new UnusableImage(request.image);
    if (code !== 0) throw new BuildrootStepFailed(`fetch ${title} (status ${code})`, 30);
  }

  async #install(title: string, attempt: number, signal: AbortSignal): Promise<void> {
    const { host, request } = this.#ground;
    const script = installScript({
      fresh: attempt === 1,
      machineId: randomUUID().replaceAll('-', ''),
      localTime: host.localTime,
      personality: request.personality,
    });
    await writeFile(this.#ground.path(`in/install-${attempt}.sh`), script);
    await mkdir(this.#ground.path(`out-${attempt}`));
    const spec = installContainer(host, request, attempt, this.#root);
    const code = await this.#ground.runBootstrap(`install ${title}`, spec, signal);
    if (code !== 0) throw new BuildrootStepFailed(`install ${title} (status ${code})`, 30);
  }
}
