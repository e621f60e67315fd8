import type { FileFacts } from './file-facts.ts';

/** How a task ended, in words that are the same whenever the same task is run. */
export interface TaskOutcome {
  readonly method: string;
  readonly label: string | null;
  readonly state: number;
  /** Its result or fault, without what differs from run to run. */
  readonly result: string;
  /** What it has uploaded, by name. */
  readonly files: readonly FileFacts[];
  readonly children: readonly TaskOutcome[];
}

/**
 * Ids and versions as one word, for ids differ from hub to hub; and without the logs of dnf, which are there when it had to
 * be asked.
 */
export function withoutIds(text: string): string {
  return text.replace(/,"[^"]*\/dnf[\w.]*\.log"/g, '').replace(/\b\d+\b/g, 'N');
}

/** What is different about a task that went through trouble; empty when nothing is. */
export function differences(wanted: TaskOutcome, got: TaskOutcome, path = wanted.method): string[] {
  const found: string[] = [];
  for (const key of ['method', 'label', 'state', 'result'] as const)
    if (wanted[key] !== got[key])
      found.push(
        `${path}: ${key} is ${JSON.stringify(got[key])}, undisturbed ${JSON.stringify(wanted[key])}`,
      );
  found.push(...fileDifferences(wanted.files, got.files).map((line) => `${path}: ${line}`));
  if (wanted.children.length !== got.children.length)
    found.push(`${path}: ${got.children.length} children, undisturbed ${wanted.children.length}`);
  for (const [index, child] of wanted.children.entries()) {
    const other = got.children[index];
    if (other !== undefined)
      found.push(...differences(child, other, `${path}/${child.label ?? child.method}`));
  }
  return found;
}

function fileDifferences(wanted: readonly FileFacts[], got: readonly FileFacts[]): string[] {
  const names = (files: readonly FileFacts[]) => files.map(({ name }) => name).join(', ');
  if (names(wanted) !== names(got)) return [`files are ${names(got)}; undisturbed ${names(wanted)}`];
  return wanted.flatMap(({ name, content }, index) => {
    const other = got[index]?.content ?? '';
    return content === other ? [] : [`${name} ${firstDifference(content, other)}`];
  });
}

function firstDifference(wanted: string, got: string): string {
  const [wantedLines, gotLines] = [wanted.split('\n'), got.split('\n')];
  const line = wantedLines.findIndex((text, index) => text !== gotLines[index]);
  const at = line === -1 ? wantedLines.length : line;
  const quote = (text: string | undefined) => (text === undefined ? 'its end' : JSON.stringify(text));
  return `has ${quote(gotLines[at])} in line ${at + 1} of ${gotLines.length}; undisturbed ${quote(wantedLines[at])} of ${wantedLines.length}`;
}
