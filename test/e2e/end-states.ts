import { arch } from './surroundings.ts';

/** How a source package of the test distribution ends on every hub. */
export interface EndState {
  readonly srpm: string;
  readonly kind: 'scratch' | 'tagged';
  /** The `build` task and its children, but for one that waits for a repository. */
  readonly tree: string;
  /** Of the `build`, and of its `buildArch` where there is one. */
  readonly fault: { readonly code: number; readonly text: string } | null;
}

type Kind = EndState['kind'];

const closed = (kind: Kind, srpm: string, buildArch: string): EndState => {
  const tagBuild = kind === 'tagged' ? ', tagBuild tag closed' : '';
  return {
    srpm,
    kind,
    fault: null,
    tree: `build closed (rebuildSRPM srpm closed, buildArch ${buildArch} closed${tagBuild})`,
  };
};
const failed = (kind: Kind, srpm: string, buildArch: string, status: number, logs: string): EndState => ({
  srpm,
  kind,
  tree: `build failed (rebuildSRPM srpm closed, buildArch ${buildArch} failed)`,
  fault: {
    code: 1005,
    text: `error building package (arch ${buildArch}), exited with status ${status}; see ${logs} for more information`,
  },
});
const bothLogs = 'build.log or root.log';

/** What kojid with mock makes of them, but for the word mock. */
export const endStates: readonly EndState[] = [
  closed('scratch', 'hello', arch),
  closed('scratch', 'noarch-subs', 'noarch'),
  closed('scratch', 'mixed-arch', arch),
  closed('scratch', 'versioned-br', 'noarch'),
  failed('scratch', 'fail-compile', arch, 1, bothLogs),
  failed('scratch', 'fail-check', 'noarch', 1, bothLogs),
  failed('scratch', 'missing-br', 'noarch', 30, 'root.log'),
  failed('scratch', 'broken-br', 'noarch', 30, 'root.log'),
  {
    srpm: 'arm-only',
    kind: 'scratch',
    tree: 'build failed (rebuildSRPM srpm closed)',
    fault: { code: 1005, text: 'No matching arches were found' },
  },
  closed('tagged', 'hello', arch),
  closed('tagged', 'noarch-subs', 'noarch'),
  closed('tagged', 'mixed-arch', arch),
  closed('tagged', 'versioned-br', 'noarch'),
  failed('tagged', 'fail-check', 'noarch', 1, bothLogs),
];
