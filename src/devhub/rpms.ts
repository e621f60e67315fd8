import { z } from 'zod';
import type { Call } from './call.ts';
import { generic } from './faults.ts';
import type { RpmRow } from './rows.ts';

/** How a builder names a package of a buildroot: by id, or by name, version, release and arch. */
export const RpmReference = z.looseObject({
  id: z.int().optional(),
  name: z.string().optional(),
  version: z.string().optional(),
  release: z.string().optional(),
  arch: z.string().optional(),
  /** Name or id of the external repository it comes from. */
  location: z.union([z.string(), z.int()]).optional(),
});

export type RpmReference = z.output<typeof RpmReference>;

/** Everything the hub wants to know about a package it has not built itself. */
const ExternalRpm = z.object({
  name: z.string(),
  version: z.string(),
  release: z.string(),
  epoch: z.int().nullable(),
  arch: z.string(),
  payloadhash: z.string(),
  size: z.int(),
  buildtime: z.int(),
});

/** The package that is referred to. An unknown one is refused, an external one is remembered when it is new. */
export function resolveRpm(call: Call, reference: RpmReference): RpmRow {
  const { location } = reference;
  if (location !== undefined && location !== '' && location !== 0)
    return externalRpm(call, reference, location);
  const { rpms } = call.hub.state.tables;
  const found =
    reference.id !== undefined
      ? rpms.get(reference.id)
      : rpms
          .filter((row) => isSameNvra(row, reference))
          .sort((a, b) => a.external_repo_id - b.external_repo_id)
          .at(0);
  if (found === undefined) throw generic(`No such rpm: ${JSON.stringify(reference)}`);
  return found;
}

function isSameNvra(row: RpmRow, wanted: RpmReference): boolean {
  return (
    row.name === wanted.name &&
    row.version === wanted.version &&
    row.release === wanted.release &&
    row.arch === wanted.arch
  );
}

/** Finds or records a package of an external repository; there it must always be the same one (`add_external_rpm`). */
function externalRpm(call: Call, reference: RpmReference, location: string | number): RpmRow {
  const parsed = ExternalRpm.safeParse(reference);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw generic(`Invalid value for ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { rpms, externalRepos } = call.hub.state.tables;
  const repo = externalRepos.find((row) => row.name === location || row.id === location);
  if (repo === undefined) throw generic(`No such entry in table external_repo: ${location}`);
  const known = rpms.find((row) => row.external_repo_id === repo.id && isSameNvra(row, reference));
  if (known === undefined)
    return rpms.insert({ ...parsed.data, build_id: null, buildroot_id: null, external_repo_id: repo.id });
  if (known.payloadhash !== parsed.data.payloadhash)
    throw generic(
      `hash changed for external rpm: ${known.name}-${known.version}-${known.release}.${known.arch}@${repo.name} ` +
        `(${known.payloadhash} -> ${parsed.data.payloadhash})`,
    );
  return known;
}
