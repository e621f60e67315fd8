import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '../container/manager.ts';
import type { ContainerId } from '../container/spec.ts';
import { readRpmHeader } from '../rpm/header.ts';
import { collectFiles } from './collect.ts';
import { carryContainer, diskContainer, sourceContainer } from './containers.ts';
import { BuildrootStepFailed } from './errors.ts';
import { buildUser } from './mock-environment.ts';
import type { RootGround, Verdict } from './root-ground.ts';
import {
  carryScript,
  generateRequiresScript,
  type HomeState,
  requirementsMissing,
  sourceNotInstallable,
  sourceScript,
} from './scripts.ts';

/** mock's status when `rpmbuild -br` fails, whatever that ended with. */
const generateFailed = 10;

/** The source package as made for the target arch, on this host. */
export interface PreparedSource {
  readonly path: string;
  /** It has a %generate_buildrequires section. */
  readonly generated: boolean;
  /** Its requirements as one text, to see whether they have changed. */
  readonly requirements: string;
}

/**
 * Steps that run package code to learn what it needs, each in a throw-away layer on the root. Home and /tmp are
 * the same for all of them, as under mock: %prep runs once, and %generate_buildrequires finds what it left.
 */
export class SourceSteps {
  readonly #ground: RootGround;
  readonly #root: ContainerId;
  #disk: Container | null = null;
  #home: HomeState = 'empty';
  #steps = 0;

  /** `root` is the container on whose layer the steps run. */
  constructor(ground: RootGround, root: ContainerId) {
    this.#ground = ground;
    this.#root = root;
  }

  /** Makes the source package again with the macros that the root has by now. */
  async remake(signal: AbortSignal): Promise<PreparedSource> {
    const { rpmTarget, personality } = this.#ground.request;
    const script = sourceScript('source.src.rpm', rpmTarget, personality, this.#home);
    // mock takes a nosrc package, too.
    const made = await this.#run('rpmbuild -bs', script, 'src.rpm', { fine: [0] }, signal);
    this.#home = 'unpacked';
    const [path, ...others] = made;
    if (path === undefined || others.length > 0) {
      throw new BuildrootStepFailed(
        `rpmbuild -bs made ${made.length} source packages instead of one and`,
        sourceNotInstallable,
      );
    }
    const requires = (await readRpmHeader(path, signal)).dependencies('requires');
    return {
      path,
      generated: requires.some((one) => one.name === 'rpmlib(DynamicBuildRequires)'),
      requirements: requires.map((one) => `${one.name} ${one.flags} ${one.version}`).join('\n'),
    };
  }

  /** Path of the package that lists generated requirements, or null when rpmbuild wrote none. */
  async generateRequires(signal: AbortSignal): Promise<string | null> {
    const { rpmTarget, personality } = this.#ground.request;
    const script = generateRequiresScript('source.src.rpm', rpmTarget, personality, this.#home);
    const verdict = { fine: [0, requirementsMissing], failure: generateFailed };
    const [list] = await this.#run('rpmbuild -br', script, '.buildreqs.nosrc.rpm', verdict, signal);
    this.#home = 'prepared';
    return list ?? null;
  }

  /** Ends the steps: the root gets what they have left, where a build goes on from there. Gives what the build finds. */
  async end(signal: AbortSignal): Promise<HomeState> {
    const disk = this.#disk;
    if (disk === null) return 'empty';
    if (this.#home === 'prepared') await this.#carry(disk.id, signal);
    this.#ground.letGo(disk);
    return this.#home === 'prepared' ? 'prepared' : 'empty';
  }

  async #carry(disk: ContainerId, signal: AbortSignal): Promise<void> {
    const { host, request } = this.#ground;
    await writeFile(this.#ground.path('in/carry.sh'), carryScript);
    const title = 'bring the prepared sources';
    const spec = carryContainer(host, request, disk, this.#root);
    const code = await this.#ground.runBootstrap(title, spec, signal);
    if (code !== 0) throw new BuildrootStepFailed(`${title} (status ${code})`, sourceNotInstallable);
  }

  /** Paths of what the script left in SRPMS. */
  async #run(
    title: string,
    script: string,
    suffix: string,
    verdict: Verdict,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    this.#steps += 1;
    const attempt = this.#steps;
    const { host, request } = this.#ground;
    await writeFile(this.#ground.path(`in/source-${attempt}.sh`), script);
    const directory = this.#ground.path(`source-${attempt}`);
    await mkdir(directory);
    // The layer of an overlay root may lie in memory, so the places a package writes to are lent a disk.
    this.#disk ??= await this.#ground.create(diskContainer(host, request), signal);
    const spec = sourceContainer(host, request, attempt, this.#root, this.#disk.id);
    const container = await this.#ground.create(spec, signal);
    await this.#ground.runPackageCode(title, container, verdict, signal);
    this.#ground.letGo(container);
    const tar = await this.#disk.copyOut(`${buildUser.home}/build/SRPMS`, signal);
    const { files } = await collectFiles(tar, directory, suffix, signal);
    return files.map((name) => join(directory, name));
  }
}
