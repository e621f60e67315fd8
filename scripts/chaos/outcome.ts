import { createHash } from 'node:crypto';

/** How a task ended, in words that are the same whenever the same task is run. */
export interface TaskOutcome {
  readonly method: string;
  readonly label: string | null;
  readonly state: number;
  /** Its result or fault, without what differs from run to run. */
  readonly result: string;
  /** Names of the files it uploaded, with a digest of those whose content is always the same. */
  readonly files: readonly string[];
  readonly children: readonly TaskOutcome[];
}

/**
 * Ids and versions as one word, for ids differ from hub to hub; and without the logs of dnf, which are there when it had to
 * be asked.
 */
export function withoutIds(text: string): string {
  return text.replace(/,"[^"]*\/dnf[\w.]*\.log"/g, '').replace(/\b\d+\b/g, 'N');
}

/** A file of a task: its name, and where its content is the same in each run a digest of that. */
export function describeFile(name: string, content: () => Buffer): string {
  // Logs tell times; packages carry the time and host of their build; repomd.xml has a revision.
  const varies = /\.(log|rpm)$|^repomd\.xml$|^noarch_rpmdiff\.json$/.test(name);
  return varies ? name : `${name} ${createHash('sha256').update(content()).digest('hex').slice(0, 16)}`;
}

/** What is different about a task that went through trouble; empty when nothing is. */
export function differences(wanted: TaskOutcome, got: TaskOutcome, path = wanted.method): string[] {
  const found: string[] = [];
  for (const key of ['method', 'label', 'state', 'result'] as const)
    if (wanted[key] !== got[key])
      found.push(
        `${path}: ${key} is ${JSON.stringify(got[key])}, undisturbed ${JSON.stringify(wanted[key])}`,
      );
  if (wanted.files.join() !== got.files.join())
    found.push(`${path}: files are ${got.files.join(', ')}; undisturbed ${wanted.files.join(', ')}`);
  if (wanted.children.length !== got.children.length)
    found.push(`${path}: ${got.children.length} children, undisturbed ${wanted.children.length}`);
  for (const [index, child] of wanted.children.entries()) {
    const other = got.children[index];
    if (other !== undefined)
      found.push(...differences(child, other, `${path}/${child.label ?? child.method}`));
  }
  return found;
}
