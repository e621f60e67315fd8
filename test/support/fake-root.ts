import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { hubRepo } from '../../src/buildroot/plan/repos.ts';
import { listingDivider } from '../../src/buildroot/root/install-script.ts';
import { fromKept } from '../../src/buildroot/solve/dnf-cache-paths.ts';
import { packagePath } from '../../src/cache/package-cache.ts';
import type { InboundPackage, Solution } from '../../src/cache/solver-cache.ts';
import type { FakeBehaviour } from '../../src/container/fake/behaviour.ts';
import type { ContainerSpec, LimitHit } from '../../src/container/spec.ts';

export type Files = Readonly<Record<string, Uint8Array | string>>;

/** How a phase that runs package code ends, and what it leaves in SRPMS and RPMS. */
export interface PackageRun {
  readonly code?: number;
  readonly output?: string;
  readonly srpms?: Files;
  readonly rpms?: Files;
  /** Result directories that it removes. */
  readonly gone?: readonly ('RPMS' | 'SRPMS')[];
  readonly runMs?: number;
  readonly ranInto?: LimitHit;
  /** It does not start, with this text. */
  readonly startFail?: string;
}

/** What the containers of one buildroot do. */
export interface RootPlay {
  /** Names of the packages that the n-th solution wants installed, or its exit code. Left out: one for the group, then none. */
  solve?(attempt: number): readonly string[] | number;
  /** A limit that each solve runs into. */
  readonly solveRanInto?: LimitHit;
  /** Names of the packages that the n-th solution takes out. Left out: none. */
  outbound?(attempt: number): readonly string[];
  /** The n-th solve, or install, does not end of itself. */
  solveHangs?(attempt: number): boolean;
  installHangs?(attempt: number): boolean;
  /** Names of packages that the repo lists and does not have. */
  readonly withdrawn?: readonly string[];
  /** Where the repo's metadata says that packages lie, by their names. */
  readonly places?: Readonly<Record<string, { readonly location?: string; readonly base?: string }>>;
  /** Exit code of the n-th install. */
  install?(attempt: number): number | Promise<number>;
  /** What the n-th install says. */
  installOutput?(attempt: number): string;
  /** Names of the packages that the n-th listing finds in the root. Left out: what was there, with what came and without what went. */
  installed?(attempt: number): readonly string[];
  /** What the n-th listing says instead. */
  listing?(attempt: number): string;
  /** The source phases in order; the last one stays. */
  readonly sources?: readonly PackageRun[];
  /** The build phases in order; the last one stays. */
  readonly builds?: readonly PackageRun[];
}

const Elements = z.array(z.object({ action: z.string(), name: z.string() }));

export const payloadhash = '0123456789abcdef0123456789abcdef';

/** The line of an installed package, as an install phase lists it: `NAME-1-1.x86_64`. */
export function installedLine(name: string): string {
  return `${name}\t\t1\t1\tx86_64\t${payloadhash}\t10\t1700000000\n`;
}

/**
 * The behaviour of a buildroot's containers, whose task has its directory at `directory`. The packages that are solved
 * for are put into its `repo`, which is at the repo's own URL, or, where `packages` names the host's package cache, into that.
 */
export function playRoot(
  directory: string,
  play: RootPlay,
  packages: string | null,
): (spec: ContainerSpec) => FakeBehaviour {
  const { solve = (attempt) => (attempt === 1 ? ['bash'] : []), install = () => 0 } = play;
  const { outbound = () => [] } = play;
  let there: readonly string[] = [];
  const sources = [...(play.sources ?? [{}])];
  const builds = [...(play.builds ?? [{}])];
  return ({ owner: { phase, attempt } }) => {
    switch (phase) {
      case 'solve':
        return {
          output: `solve ${attempt}\n`,
          ...(play.solveHangs?.(attempt) === true && { runMs: Number.POSITIVE_INFINITY }),
          ...(play.solveRanInto !== undefined && { ranInto: play.solveRanInto }),
          async main() {
            const wanted = solve(attempt);
            if (typeof wanted === 'number') return wanted;
            const place = join(directory, 'repo');
            const solution: Solution = {
              elements: [
                ...wanted.map((name) => ({ ...solvedPackage(name), ...play.places?.[name] })),
                ...outbound(attempt).map((name) => ({
                  action: 'remove' as const,
                  name: `${name}-1-1.x86_64`,
                  header: '00',
                })),
              ],
            };
            await mkdir(place, { recursive: true });
            for (const name of wanted.filter((one) => !(play.withdrawn ?? []).includes(one)))
              await putPackage(packages, place, name);
            await keepMetadata(directory);
            await writeFile(join(directory, 'solve', 'solution.json'), JSON.stringify(solution));
            return 0;
          },
        };
      case 'install':
        return {
          output: play.installOutput?.(attempt) ?? `install ${attempt}\n`,
          ...(play.installHangs?.(attempt) === true && { runMs: Number.POSITIVE_INFINITY }),
          main: async () => install(attempt),
        };
      case 'list': {
        const coming = contentsOf(directory, attempt);
        const going = goingIn(join(directory, 'in', `transaction-${attempt}.json`));
        there = play.installed?.(attempt) ?? [...there.filter((name) => !going.includes(name)), ...coming];
        const listing = `${lines(coming)}${listingDivider}\n${lines(there)}`;
        return { output: play.listing?.(attempt) ?? listing };
      }
      case 'root':
        return {};
      case 'source':
      case 'build': {
        const steps = phase === 'source' ? sources : builds;
        const step = (steps.length > 1 ? steps.shift() : steps[0]) ?? {};
        return { ...run(step), files: results(step) };
      }
      default:
        throw new Error(`a buildroot has no phase ${phase}`);
    }
  };
}

async function putPackage(packages: string | null, repo: string, name: string): Promise<void> {
  const path =
    packages === null ? join(repo, `${name}.rpm`) : join(packages, packagePath(solvedPackage(name).checksum));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, name);
}

/** As dnf does, which keeps what it has read of the repo at `repo`. */
async function keepMetadata(directory: string): Promise<void> {
  const repo = join(directory, 'repo');
  const name = 'repodata/repomd.xml';
  const kept = fromKept(`build/${name}`, [hubRepo([pathToFileURL(repo).href])]);
  const target = join(directory, 'solve/cache', kept);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(join(repo, name), target).catch(() => undefined);
}

/** A package whose file holds its name. */
export function solvedPackage(name: string): InboundPackage {
  const hex = createHash('sha256').update(name).digest('hex');
  const place = { repo: 'build', location: `${name}.rpm`, base: null };
  return { action: 'install', name, checksum: `sha256:${hex}`, sizeBytes: name.length, ...place };
}

function lines(names: readonly string[]): string {
  return names.map(installedLine).join('');
}

/** What the files hold that an install step was given. */
function contentsOf(directory: string, attempt: number): readonly string[] {
  const paths = readFileSync(join(directory, 'in', `packages-${attempt}`), 'utf8')
    .split('\n')
    .slice(0, -1);
  return paths.map((path) => readFileSync(join(directory, `packages-${attempt}`, path), 'utf8'));
}

/** Names of the packages that a transaction takes away. */
function goingIn(file: string): readonly string[] {
  const elements = Elements.parse(JSON.parse(readFileSync(file, 'utf8')));
  return elements.flatMap(({ action, name }) =>
    action === 'remove' ? [name.replace('-1-1.x86_64', '')] : [],
  );
}

function run({ code = 0, output, runMs, ranInto, startFail }: PackageRun): FakeBehaviour {
  return {
    exitCode: code,
    ...(output !== undefined && { output }),
    ...(runMs !== undefined && { runMs }),
    ...(ranInto !== undefined && { ranInto }),
    ...(startFail !== undefined && { startFail }),
  };
}

function results({ rpms, srpms, gone = [] }: PackageRun): Record<string, Uint8Array> {
  return {
    ...(gone.includes('RPMS') ? {} : below('RPMS', rpms)),
    ...(gone.includes('SRPMS') ? {} : below('SRPMS', srpms)),
  };
}

/** The directory always has something in it, or the engine would not find it. */
function below(place: string, files: Files = {}): Record<string, Uint8Array> {
  const all: Files = { '.keep': '', ...files };
  return Object.fromEntries(
    Object.entries(all).map(([name, content]) => [`/builddir/build/${place}/${name}`, Buffer.from(content)]),
  );
}
