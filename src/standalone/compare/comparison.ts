import { basename } from 'node:path';
import type { RpmHeader } from '../../rpm/header.ts';
import { type Difference, pairByKey, valueDifference } from './difference.ts';
import { rpmDifferences } from './rpm-differences.ts';
import { type Allowance, whitelist } from './whitelist.ts';

/** A difference with what it was found in: a package's file name, `buildroot`, `logs`, `build`. */
export interface Finding extends JudgedDifference {
  readonly subject: string;
}

/** One buildArch task, done again. */
export interface Comparison {
  readonly taskId: number;
  readonly arch: string;
  readonly source: string;
  readonly repo: { readonly id: number; readonly tag: string; readonly event: number };
  readonly theirs: {
    readonly host: string | null;
    readonly buildrootId: number;
    readonly buildrootArch: string;
    readonly tookMs: number | null;
  };
  readonly ours: {
    readonly image: string;
    readonly because: string;
    readonly tookMs: number;
    readonly steps: readonly { readonly name: string; readonly tookMs: number }[];
  };
  /** What was compared: file names of packages, and how many packages the roots had. */
  readonly packages: readonly string[];
  readonly rootPackages: number;
  readonly findings: readonly Finding[];
  /** Things that were not compared, and why. */
  readonly notes: readonly string[];
}

/** A package on one side. */
export interface NamedHeader {
  readonly name: string;
  readonly header: RpmHeader;
}

/** Differences with their subject and what excuses them. */
export function findingsOf(subject: string, differences: readonly Difference[]): readonly Finding[] {
  return judgeDifferences(differences).map((one) => ({ ...one, subject }));
}

/** When the builds began on both sides, in seconds since the epoch. */
export interface BuildStarts {
  readonly ours: number;
  readonly theirs: number;
}

/** Packages that are on one side only, and in what those of both sides differ. Throws BadRpm for a broken one. */
export function comparePackages(
  ours: readonly NamedHeader[],
  theirs: readonly NamedHeader[],
  starts: BuildStarts,
): readonly Finding[] {
  return pairByKey(ours, theirs, ({ name }) => name).flatMap((pair) => {
    const { key, ours: here, theirs: there } = pair;
    return here === null || there === null
      ? findingsOf('packages', valueDifference('package', key, here?.name ?? null, there?.name ?? null))
      : findingsOf(
          key,
          rpmDifferences(here.header, there.header).map((one) => tellMadeFiles(one, starts)),
        );
  });
}

/** How far the clocks of hub and builder may be apart. */
const clockSlackSeconds = 300;

/** Files that the build has made have its time on both sides; times it should have kept are another matter. */
function tellMadeFiles(difference: Difference, starts: BuildStarts): Difference {
  const { what, ours, theirs } = difference;
  const isMade =
    what === 'file.mtime' &&
    Number(ours) >= starts.ours - clockSlackSeconds &&
    Number(theirs) >= starts.theirs - clockSlackSeconds;
  return isMade ? { ...difference, what: 'file.mtime-of-build' } : difference;
}

/** Logs that are on one side only. */
export function compareLogNames(ours: readonly string[], theirs: readonly string[]): readonly Finding[] {
  const pairs = pairByKey(
    ours,
    theirs.map((path) => basename(path)),
    (name) => name,
  );
  return findingsOf(
    'logs',
    pairs.flatMap((pair) => valueDifference('log', pair.key, pair.ours, pair.theirs)),
  );
}

/** A difference, and what excuses it; null: nothing does. */
interface JudgedDifference extends Difference {
  readonly allowedBy: Allowance | null;
}

/** Holds differences against the whitelist. The first allowance that fits counts. */
export function judgeDifferences(
  differences: readonly Difference[],
  allowances: readonly Allowance[] = whitelist,
): readonly JudgedDifference[] {
  return differences.map((difference) => ({
    ...difference,
    allowedBy: allowances.find((allowance) => excuses(allowance, difference)) ?? null,
  }));
}

function excuses(allowance: Allowance, { what, of, ours, theirs }: Difference): boolean {
  if (!allowance.what.includes(what)) return false;
  if (allowance.of !== undefined && !(of !== null && allowance.of.test(of))) return false;
  if (allowance.missing === 'ours') return ours === null;
  if (allowance.missing === 'theirs') return theirs === null;
  if (allowance.beside === undefined) return true;
  if (ours === null || theirs === null) return false;
  return ours.replace(allowance.beside, '') === theirs.replace(allowance.beside, '');
}
