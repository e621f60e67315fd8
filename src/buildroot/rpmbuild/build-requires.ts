import { mkdir } from 'node:fs/promises';
import { z } from 'zod';
import type { ContainerId } from '../../container/spec.ts';
import { quote } from '../../core/bash.ts';
import { below } from '../../core/below.ts';
import { BadRpm } from '../../rpm/errors.ts';
import type { PackageFacts } from '../../rpm/package-facts.ts';
import { readPackageFacts } from '../../rpm/package-reader.ts';
import { BuildrootStepFailed } from '../errors.ts';
import type { PreparedRoot } from '../root/prepared-root.ts';
import { requirementsMissing, sourceNotInstallable } from '../steps/exit-codes.ts';
import type { RootContext } from '../steps/root-context.ts';
import { codeSteps } from '../steps/step-name.ts';
import { collectFiles } from './collect-results.ts';
import { ResultsBudget } from './results-budget.ts';
import { generateRequiresScript, type HomeState, repeatCommand, sourceScript } from './rpmbuild-scripts.ts';
import type { CodeStep, EndedCode, Sandbox } from './sandbox.ts';

const packageManagerFailed = 30;

/** mock's status when `rpmbuild -br` fails, whatever that ended with. */
const generateFailed = 10;

/** A source package on this host, and what it wants for its build. */
export interface SourcePackage {
  readonly path: string;
  /** It has a %generate_buildrequires section. */
  readonly generated: boolean;
  /** Its requirements but for those of rpm's own, one in a line, as `checkedBuildScript` writes them. */
  readonly requirements: string;
}

/** What the header at `path` says of the package's requirements. */
export function toSourcePackage(path: string, { generated, requirements }: PackageFacts): SourcePackage {
  return { path, generated, requirements };
}

const StepResults = z.object({
  /** Names of what it left in SRPMS. */
  files: z.array(z.string()),
  /** Its container, which has its layer until another step continues from there. */
  container: z.string(),
});

/**
 * Steps that run package code to learn what it needs. Each continues in the layer that the one before has left, although
 * the root below may have got more packages, as under mock: %prep runs once, and %generate_buildrequires finds what it left.
 */
export class SourceSteps {
  readonly #context: RootContext;
  readonly #code: Sandbox;
  #last: ContainerId | null = null;
  /** The last step, unless a previous run of the task has run it. */
  #ran: EndedCode | null = null;
  #home: HomeState = 'empty';
  #steps = 0;

  constructor(context: RootContext, code: Sandbox) {
    this.#context = context;
    this.#code = code;
  }

  /** Makes the source package again with the macros of the root. */
  async remake(root: PreparedRoot, signal: AbortSignal): Promise<SourcePackage> {
    const { rpmTarget, personality } = this.#context.request;
    const script = sourceScript('source.src.rpm', rpmTarget, personality, this.#home);
    // mock takes a nosrc package, too.
    const repeat = repeatCommand(`-bs --target ${quote(rpmTarget)}`, personality);
    const step = { name: codeSteps.remakeSource, script, repeat, verdict: { fine: [0] } };
    const made = await this.#run(root, step, 'src.rpm', signal);
    this.#home = 'unpacked';
    const [path, ...others] = made;
    if (path === undefined || others.length > 0) {
      throw new BuildrootStepFailed(
        `rpmbuild -bs made ${made.length} source packages instead of one and`,
        sourceNotInstallable,
      );
    }
    return readMade('rpmbuild -bs', path, signal);
  }

  /**
   * The package that lists generated requirements. Without one, which is how rpmbuild ends when it cannot read a
   * requirement, mock calls the package manager for nothing, and that fails.
   */
  async generateRequires(root: PreparedRoot, signal: AbortSignal): Promise<SourcePackage> {
    const { rpmTarget, personality } = this.#context.request;
    const script = generateRequiresScript('source.src.rpm', rpmTarget, personality, this.#home);
    const verdict = { fine: [0, requirementsMissing], failure: generateFailed };
    const repeat = repeatCommand(`-br --target ${quote(rpmTarget)}`, personality);
    const step = { name: codeSteps.generateRequires, script, repeat, verdict };
    const [path] = await this.#run(root, step, '.buildreqs.nosrc.rpm', signal);
    this.#home = 'prepared';
    if (path === undefined) {
      await this.#context.logs.root.write(
        'rpmbuild -br wrote no list of build requirements; see build.log\n',
      );
      throw new BuildrootStepFailed(
        'rpmbuild -br wrote no list of build requirements: it',
        packageManagerFailed,
      );
    }
    return readMade('rpmbuild -br', path, signal);
  }

  /** Ends the steps: the container that has their layer if a build continues from there, else null. */
  end(): ContainerId | null {
    if (this.#home === 'prepared') return this.#last;
    this.#ran?.remove();
    return null;
  }

  /** Paths of what the script left in SRPMS. */
  async #run(
    root: PreparedRoot,
    wanted: Pick<CodeStep, 'script' | 'repeat' | 'verdict'> & {
      readonly name: (typeof codeSteps)['remakeSource' | 'generateRequires'];
    },
    suffix: string,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    this.#steps += 1;
    const attempt = this.#steps;
    const directory = this.#context.path(`source-${attempt}`);
    await mkdir(directory, { recursive: true });
    const step = { ...wanted, phase: 'source', attempt, ...(this.#last !== null && { after: this.#last }) };
    const before = this.#ran;
    this.#ran = null;
    const left = await this.#context.history.once(`results:${wanted.name.id}`, StepResults, async () => {
      const ran = await this.#code.run(root, step, signal);
      this.#ran = ran;
      const tar = await ran.copyOut('SRPMS', signal);
      const budget = new ResultsBudget(wanted.name.title, this.#context.host.codeLimits.diskBytes);
      const made = tar === null ? [] : (await collectFiles(tar, directory, suffix, budget, signal)).files;
      return { files: [...made], container: ran.container };
    });
    before?.remove();
    this.#last = left.container;
    return left.files.map((name) => below(directory, name));
  }
}

/** What package code has made may be anything. */
async function readMade(step: string, path: string, signal: AbortSignal): Promise<SourcePackage> {
  try {
    return toSourcePackage(path, await readPackageFacts(path, signal));
  } catch (error) {
    if (!(error instanceof BadRpm)) throw error;
    throw new BuildrootStepFailed(`${step} made a package that cannot be read and`, sourceNotInstallable, {
      cause: error,
      reason: error.message,
    });
  }
}
