import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, by the summary of scripts/test.sh: the last to end should not be one of them. */
const longest = [
  'e2e/full-disk',
  'podman/container-rootless',
  'e2e/dnf5',
  'podman/container',
  'e2e/attacks',
  'e2e/cache',
  'e2e/harmed-task-logs',
  'e2e/harmed-container-logs',
  'podman/doctor-trial',
  'e2e/rootless',
  'e2e/parts-fail',
  'e2e/adoption',
  'e2e/failed-root',
  'e2e/read-only-disk',
  'e2e/demo',
  'e2e/odd-packages',
  'e2e/attacks-rootless',
  'e2e/rebuild',
];

/** Begins with what takes longest, the same on each machine: what runs side by side, and which lane a file has, depends on it. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return found === -1 ? longest.length : found;
    };
    return files.toSorted(
      (a, b) =>
        a.project.config.sequence.groupOrder - b.project.config.sequence.groupOrder ||
        rank(a) - rank(b) ||
        a.moduleId.localeCompare(b.moduleId),
    );
  }
}
