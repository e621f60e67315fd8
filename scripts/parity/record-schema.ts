import { z } from 'zod';

/** Any answer of the hub, as JSON. */
export type Json = z.output<ReturnType<typeof z.json>>;
export type JsonStruct = { readonly [key: string]: Json };

const Struct = z.record(z.string(), z.json());

const BuildrootRecord = z.object({
  /** `listBuildroots`. */
  info: Struct,
  /** `listRPMs(componentBuildrootID=...)`. */
  packages: z.array(Struct),
});

const TaskRecord = z.object({
  id: z.int(),
  /** Where the task stands in the tree, with labels or arches: `build/buildArch x86_64`. */
  name: z.string(),
  /** `getTaskInfo`, request included. */
  info: Struct,
  result: z.json(),
  fault: z.object({ code: z.int(), text: z.string() }).nullable(),
  /** `listTaskOutput` with sizes: file, volume, stat. The files lie in the record's `files/NAME OF THE TASK/`. */
  output: z.record(z.string(), z.record(z.string(), Struct)),
  buildroots: z.array(BuildrootRecord),
});

/** What a hub knows of one build when it is over. */
export const BuildRecord = z.object({
  target: z.string(),
  sourcePackage: z.string(),
  mode: z.enum(['scratch', 'tagged']),
  canceled: z.boolean(),
  /** The tree in the order of its tasks' numbers; the first one is the build task. */
  tasks: z.array(TaskRecord),
  /** The record of the build, for builds that are to be tagged and came as far. */
  build: z
    .object({
      info: Struct,
      logs: z.array(Struct),
      rpms: z.array(Struct),
      archives: z.array(Struct),
      tags: z.array(Struct),
      types: z.json(),
    })
    .nullable(),
});
export type BuildRecord = z.output<typeof BuildRecord>;
export type TaskRecord = z.output<typeof TaskRecord>;
