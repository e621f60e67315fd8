import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { below } from '../../core/below.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { makeReadable } from '../../core/readable-files.ts';
import { repoStateName, repoStates } from '../../hub/api/schema.ts';
import { defineTask } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { requireReposDirectory } from '../repos-directory.ts';
import { findOldMetadata, makeLocalRepo } from './local-repo.ts';
import { mergeRepos } from './merge-repos.ts';
import { ensureRepoImage } from './repo-container.ts';

const CreaterepoParams = z.object({
  repo_id: z.int(),
  arch: z.string(),
  oldrepo: z.looseObject({ id: z.int() }).nullable(),
});

/**
 * Makes the metadata of one arch of a repo, from the package list the hub has written and from the tag's
 * external repos (`builder/kojid CreaterepoTask`).
 */
export const createrepo = defineTask({
  methods: ['createrepo'],
  weight: 1.5,
  signature: { names: ['repo_id', 'arch', 'oldrepo'], schema: CreaterepoParams },

  purpose: ({ repo_id: repoId }) => ({ buildTag: [{ repoId }] }),

  async run({ repo_id: repoId, arch, oldrepo }, context) {
    const { hub, signal, settings, outputs, directory } = context;
    const { topDir } = settings;
    const repo = await hub.repos.repoInfo(repoId, { strict: true, signal });
    if (repo?.state !== repoStates.init) {
      const state = repo === null ? 'no repo' : repoStateName(repo.state);
      throw new TaskFault(faultCodes.generic, 'request', `Repo ${repoId} not in INIT state (got ${state})`);
    }
    await requireReposDirectory(topDir);
    const place = `repos/${repo.tagName}/${repoId}`;
    const list = await stat(below(topDir, place, arch, 'pkglist')).catch(() => null);
    if (list === null) {
      const missing = below(topDir, place, arch);
      throw new TaskFault(faultCodes.generic, 'external', `Repo directory missing: ${missing}`);
    }
    const comps = await stat(below(topDir, place, 'groups', 'comps.xml')).catch(() => null);
    const update = oldrepo !== null && settings.updateRepos;
    const [old, image] = await Promise.all([
      update ? findOldMetadata(context, oldrepo.id, arch) : null,
      ensureRepoImage(context, repo),
    ]);
    const job = { place, arch, empty: list.size === 0, groups: comps?.isFile() === true, old };
    await makeReadable(join(directory.absolute, 'in'));
    await makeLocalRepo(context, image, job);

    // After the local repo, as kojid asks for them.
    const externals = await hub.tags.externalRepos(repo.tagId, { event: repo.createEvent, signal });
    let made = join(directory.absolute, 'out', 'repodata');
    if (externals.length > 0) made = await mergeRepos(context, image, repo, job, externals);
    else if (job.empty)
      await writeFile(
        join(made, 'EMPTY_REPO'),
        'This repo is empty because its tag has no content for this arch\n',
      );
    const files = (await readdir(made)).sort();
    await outputs.send(
      files.map((name) => join(made, name)),
      signal,
    );
    return [outputs.directory, files];
  },
});
