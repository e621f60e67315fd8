import { BuilderError } from '../core/errors.ts';

/** One thing that is wrong, or odd, with the configuration. */
export interface ConfigProblem {
  /** Null for what stands in no file: the environment, the command line, something missing altogether. */
  readonly file: string | null;
  readonly line: number | null;
  /** As the operator wrote it: `minspace`, `adjutant_build_pids`, `KOJI_ADJUTANT_BUILD_PIDS`, `--maxjobs`. */
  readonly key: string | null;
  /** What is wrong and what to change. */
  readonly message: string;
}

/** The configuration cannot be used; carries everything that is wrong with it. The process ends with 78 (EX_CONFIG). */
export class ConfigError extends BuilderError {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], warnings: readonly ConfigProblem[]) {
    super('config-invalid', 'builder', problems.map(formatProblem).join('\n'));
    this.problems = problems;
    this.warnings = warnings;
  }
}

/** `file:line: key: message`, without the parts that are not known. */
export function formatProblem({ file, line, key, message }: ConfigProblem): string {
  const place = file === null ? null : line === null ? file : `${file}:${line}`;
  return [place, key, message].filter((part) => part !== null).join(': ');
}

/** The same in the order of files and lines, what stands in no file last. */
export function inFileOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const files = [...new Set(problems.map(({ file }) => file).filter((file) => file !== null))];
  const rank = ({ file }: ConfigProblem): number => (file === null ? files.length : files.indexOf(file));
  return problems.toSorted((a, b) => rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0));
}
