import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readRpmHeader } from '../../src/rpm/header.ts';
import type { Difference as RpmDifference } from '../../src/standalone/compare/difference.ts';
import { rpmDifferences } from '../../src/standalone/compare/rpm-differences.ts';
import { type Facts, namesOf, neutralText, toFacts } from './facts.ts';
import { logDifferences, toLines } from './log-differences.ts';
import { BuildRecord } from './record-schema.ts';
import type { Difference, Whitelist } from './whitelist.ts';

/** The logs whose content is compared; the others say the same things in the words of other programs. */
const comparedLogs: ReadonlySet<string> = new Set(['build.log', 'installed_pkgs.log', 'noarch_rpmdiff.json']);

export interface Comparison {
  /** How many fields, logs and packages both sides were asked for. */
  readonly compared: number;
  readonly differences: readonly Difference[];
}

/** Compares the records of one build in two directories, with the logs and packages that lie beside them. */
export async function compareRecords(kojid: string, ours: string, whitelist: Whitelist): Promise<Comparison> {
  const [kojidRecord, ourRecord] = [await readRecord(kojid), await readRecord(ours)];
  const [kojidFacts, ourFacts] = [toFacts(kojidRecord), toFacts(ourRecord)];
  const differences = [...factDifferences(kojidFacts, ourFacts)];
  let compared = new Set([...kojidFacts.keys(), ...ourFacts.keys()]).size;
  for (const { name, output } of kojidRecord.tasks) {
    const theirs = ourRecord.tasks.find((task) => task.name === name)?.output ?? {};
    for (const file of Object.keys(output).filter((one) => Object.hasOwn(theirs, one))) {
      const [left, right] = [join(kojid, 'files', name, file), join(ours, 'files', name, file)];
      if (file.endsWith('.rpm')) {
        const start = (record: BuildRecord) =>
          Number(record.tasks.find((task) => task.name === name)?.info['start_ts']);
        const found = rpmDifferences(await readRpmHeader(right), await readRpmHeader(left));
        differences.push(
          ...packageDifferences(`${name}/rpm ${file}`, found, start(kojidRecord), start(ourRecord)),
        );
      } else if (comparedLogs.has(file))
        differences.push(
          ...logDifferences(
            name,
            file,
            await readLog(left, kojidRecord),
            await readLog(right, ourRecord),
            whitelist,
          ),
        );
      else continue;
      compared += 1;
    }
  }
  return { compared, differences };
}

async function readRecord(directory: string): Promise<BuildRecord> {
  return BuildRecord.parse(JSON.parse(await readFile(join(directory, 'record.json'), 'utf8')));
}

/** Facts that only one side has, or that say something else on each. */
export function factDifferences(kojid: Facts, ours: Facts): readonly Difference[] {
  return [...new Set([...kojid.keys(), ...ours.keys()])].flatMap((path) => {
    const [left, right] = [kojid.get(path) ?? null, ours.get(path) ?? null];
    return left === right ? [] : [{ path, kojid: left, ours: right }];
  });
}

/**
 * What is different in two packages, but for times during the builds: what `file.mtime`, `source.mtime` and
 * `buildtime` say of something made since the tasks have begun (seconds since the epoch).
 */
export function packageDifferences(
  path: string,
  differences: readonly RpmDifference[],
  kojidStart: number,
  ourStart: number,
): readonly Difference[] {
  const kept = differences.filter(({ what, ours, theirs }) => {
    if (!/^(file\.mtime|source\.mtime|buildtime)$/.test(what)) return true;
    return !(Number(theirs) >= Math.floor(kojidStart) && Number(ours) >= Math.floor(ourStart));
  });
  return kept.map(({ what, of, ours, theirs }) => ({
    path: `${path}/${what}${of === null ? '' : ` ${of}`}`,
    kojid: theirs,
    ours,
  }));
}

/** The lines of a log. The hash of noarch packages is kept by the ids of the tasks that made it. */
async function readLog(path: string, record: BuildRecord): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8');
  return toLines(path.endsWith('.json') ? neutralText(text, namesOf(record)) : text);
}
