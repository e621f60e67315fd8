/** Parameters of a task method as koji has them: how many have no default, and whether more may follow. */
export interface KojiSignature {
  readonly names: readonly string[];
  readonly required: number;
  readonly rest: boolean;
}

const signature = (text: string, required: number): KojiSignature => ({
  names: text === '' ? [] : text.split(' '),
  required,
  rest: false,
});

/** The part of `koji/tasks.py LEGACY_SIGNATURES` that this builder serves; `task-params.test.ts` compares it with koji. */
export const kojiSignatures: ReadonlyMap<string, KojiSignature> = new Map([
  ['build', signature('src target opts', 2)],
  ['buildArch', signature('pkg root arch keep_srpm opts', 4)],
  ['buildNotification', signature('recipients build target weburl', 4)],
  ['createrepo', signature('repo_id arch oldrepo', 3)],
  ['default', { names: [], required: 0, rest: true }],
  ['fork', signature('n m', 0)],
  ['newRepo', signature('tag event src debuginfo separate_src opts', 1)],
  ['rebuildSRPM', signature('srpm build_tag opts', 2)],
  ['restart', signature('host', 1)],
  ['restartHosts', signature('options', 0)],
  ['restartVerify', signature('task_id host', 2)],
  ['shutdown', signature('', 0)],
  ['sleep', signature('n', 1)],
  ['subtask', signature('n', 0)],
  ['tagBuild', signature('tag_id build_id force fromtag ignore_success', 2)],
  [
    'tagNotification',
    signature(
      'recipients is_successful tag_info from_info build_info user_info ignore_success failure_msg',
      6,
    ),
  ],
  ['waitrepo', signature('tag newer_than nvrs min_event', 1)],
  ['waittest', signature('count seconds', 1)],
]);
