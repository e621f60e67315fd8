import { writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removalsFile } from '../../src/buildroot/scripts.ts';
import type { FakeBehaviour } from '../../src/container/fake/behaviour.ts';
import type { ContainerSpec } from '../../src/container/spec.ts';

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
}

/** What the containers of one buildroot do. */
export interface RootPlay {
  /** Names of the packages that the n-th fetch brings, or its exit code. Left out: one for the group, then none. */
  fetch?(attempt: number): readonly string[] | number;
  /** Names of the packages that the n-th fetch wants removed, one in a line. Left out: none. */
  removals?(attempt: number): string;
  /** Exit code of the n-th install. */
  install?(attempt: number): number;
  /** Names of the packages in the root after the n-th install. */
  installed?(attempt: number): readonly string[];
  /** The source phases in order; the last one stays. */
  readonly sources?: readonly PackageRun[];
  readonly build?: PackageRun;
}

export const payloadhash = '0123456789abcdef0123456789abcdef';

/** The line of an installed package, as an install phase lists it: `NAME-1-1.x86_64`. */
export function installedLine(name: string): string {
  return `${name}\t\t1\t1\tx86_64\t${payloadhash}\t10\t1700000000\n`;
}

/** The behaviour of a buildroot's containers, whose task has its directory at `directory`. */
export function playRoot(directory: string, play: RootPlay): (spec: ContainerSpec) => FakeBehaviour {
  const { fetch = (attempt) => (attempt === 1 ? ['bash.rpm'] : []), install = () => 0 } = play;
  const { installed = () => ['bash'], removals = () => '' } = play;
  const sources = [...(play.sources ?? [{}])];
  const disk: Record<string, Uint8Array> = {};
  return ({ owner: { phase, attempt } }) => {
    switch (phase) {
      case 'fetch':
        return {
          output: `fetch ${attempt}\n`,
          async main() {
            const brought = fetch(attempt);
            const place = join(directory, 'fetch', `packages-${attempt}`);
            await mkdir(place, { recursive: true });
            await writeFile(join(place, removalsFile), removals(attempt));
            for (const name of typeof brought === 'number' ? [] : brought)
              await writeFile(join(place, name), name);
            return typeof brought === 'number' ? brought : 0;
          },
        };
      case 'install':
        return {
          output: `install ${attempt}\n`,
          async main() {
            writeFileSync(
              join(directory, `out-${attempt}`, 'installed'),
              installed(attempt).map(installedLine).join(''),
            );
            return install(attempt);
          },
        };
      case 'disk':
        return { files: disk };
      case 'source': {
        const source = sources.length > 1 ? (sources.shift() ?? {}) : (sources[0] ?? {});
        for (const path of Object.keys(disk)) delete disk[path];
        Object.assign(disk, below('SRPMS', source.srpms));
        return run(source);
      }
      case 'carry':
        return {};
      case 'build':
        return {
          ...run(play.build ?? {}),
          files: results(play.build ?? {}),
        };
      default:
        throw new Error(`a buildroot has no phase ${phase}`);
    }
  };
}

function run({ code = 0, output, runMs }: PackageRun): FakeBehaviour {
  return { exitCode: code, ...(output !== undefined && { output }), ...(runMs !== undefined && { runMs }) };
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
