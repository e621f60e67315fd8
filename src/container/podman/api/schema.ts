import { z } from 'zod';

/** The parts of podman's answers that are used; all of them of its own (libpod) API. */

export const Info = z.object({
  host: z.object({
    arch: z.string(),
    cgroupVersion: z.enum(['v1', 'v2']),
    cgroupControllers: z.array(z.string()).nullish(),
    security: z.object({
      rootless: z.boolean(),
      seccompEnabled: z.boolean(),
      seccompProfilePath: z.string().nullish(),
      selinuxEnabled: z.boolean().nullish(),
    }),
    ociRuntime: z.object({ name: z.string() }).nullish(),
    /** Since podman 4.6. */
    freeLocks: z.number().int().nullish(),
  }),
  store: z.object({
    graphDriverName: z.string(),
    graphRoot: z.string(),
    runRoot: z.string().nullish(),
    graphOptions: z.record(z.string(), z.unknown()).nullish(),
    graphStatus: z.record(z.string(), z.string()).nullish(),
  }),
  version: z.object({ Version: z.string() }),
});

export type EngineInfo = z.infer<typeof Info>;
export type EngineSecurity = z.infer<typeof Info>['host']['security'];

export const Created = z.object({ Id: z.string().min(1) });

export const ContainerState = z.object({
  Status: z.string(),
  ExitCode: z.number().int(),
  OOMKilled: z.boolean(),
  StartedAt: z.string(),
  FinishedAt: z.string(),
  /** Of the main process, as the engine's host counts; 0 when it does not run. */
  Pid: z.number().int().nullish(),
  /** Of the monitor, which notes the end of the main process; 0 when there is none. */
  ConmonPid: z.number().int().nullish(),
  /** Below the mount of each cgroup hierarchy; empty where there are no limits. */
  CgroupPath: z.string().nullish(),
});
export type ContainerState = z.infer<typeof ContainerState>;

/** Where the storage has the layers of a container or image. */
export const GraphDriver = z
  .object({ Name: z.string(), Data: z.record(z.string(), z.string()).nullish() })
  .nullish();

export const InspectedContainer = z.object({
  Id: z.string(),
  Name: z.string(),
  State: ContainerState,
  Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
  GraphDriver,
});
export type InspectedContainer = z.infer<typeof InspectedContainer>;

/** What an inspection adds when it is asked for sizes, in bytes. */
export const ContainerSize = z.object({ SizeRw: z.number().nullish() });

export const ListedContainers = z
  .array(
    z.object({
      Id: z.string(),
      Names: z.array(z.string()).min(1),
      Labels: z.record(z.string(), z.string()).nullish(),
      State: z.string(),
      Created: z.iso.datetime({ offset: true }),
    }),
  )
  .nullable();

export const InspectedImage = z.object({
  Id: z.string(),
  Digest: z.string().nullish(),
  Architecture: z.string(),
  GraphDriver,
});

export const ListedImages = z
  .array(
    z.object({
      Id: z.string(),
      Names: z.array(z.string()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
      /** Seconds. */
      Created: z.number(),
      /** It lies in an additional store, which the engine only reads. */
      ReadOnly: z.boolean().optional(),
    }),
  )
  .nullable();

/** The answer to the removal of an image: what was removed, or why it was not. */
export const RemovedImage = z.looseObject({ cause: z.string().optional(), message: z.string().optional() });

/** One line of a pull's progress. */
export const PullLine = z.object({ error: z.string().optional() });

/** Header `X-Docker-Container-Path-Stat`, in base64; `linkTarget` is the path itself where it is no link, `mode` is Go's. */
export const PathStat = z.object({ linkTarget: z.string(), mode: z.number().int() });
export type PathStat = z.infer<typeof PathStat>;
