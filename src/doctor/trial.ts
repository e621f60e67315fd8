import type { ContainerSpec, ExitStatus } from '../container/spec.ts';
import type { StepRuntime } from '../container/step-runtime.ts';
import { imageTools, type SeenLimits } from './engine.ts';

/** Owner of the containers that are made to try things out: no daemon looks for it. */
const workerId = 'koji-adjutant-doctor';

/** The limits that containers on trial ask for. */
export const trialLimits = { pids: 512, memoryBytes: 512 * 2 ** 20 } as const;

/** A container of the image with no network and no privileges that runs `command`. */
export function trialSpec(image: string, phase: string, command: readonly string[]): ContainerSpec {
  return {
    name: `koji-adjutant-doctor-${process.pid}-${phase}`,
    root: { kind: 'image', image },
    command,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp', LC_ALL: 'C.UTF-8' },
    workdir: '/',
    user: { uid: 0, gid: 0 },
    capabilities: ['DAC_OVERRIDE'],
    isolation: 'plain',
    network: 'none',
    hostname: 'doctor',
    mounts: [],
    limits: trialLimits,
    owner: { workerId, taskId: 0, phase, attempt: 1 },
    labels: {},
  };
}

export interface TrialResult {
  readonly status: ExitStatus;
  readonly output: string;
}

/** Runs a container to its end and removes it. Rejects with ContainerError when it cannot be run. */
export async function runTrial(
  runtime: StepRuntime,
  spec: ContainerSpec,
  signal: AbortSignal,
): Promise<TrialResult> {
  await using container = await runtime.create(spec, signal);
  await container.start(signal);
  const status = await container.wait(signal);
  const chunks: Uint8Array[] = [];
  for await (const chunk of container.output(signal)) chunks.push(chunk);
  return { status, output: Buffer.concat(chunks).toString('utf8') };
}

/** Prints a line for each tool that is missing, and the limits as the cgroup (v2, then v1) says. */
export const inspectScript = [
  ...imageTools.map(({ name, check }) => `{ ${check}; } >/dev/null 2>&1 || echo "missing=${name}"`),
  'for file in pids.max pids/pids.max; do [ ! -r /sys/fs/cgroup/$file ] || echo "pids=$(cat /sys/fs/cgroup/$file)"; done',
  'for file in memory.max memory/memory.limit_in_bytes; do [ ! -r /sys/fs/cgroup/$file ] || echo "memory=$(cat /sys/fs/cgroup/$file)"; done',
].join('\n');

/** Reads what `inspectScript` printed; other lines are the tools' own. */
export function parseInspection(output: string): {
  readonly missing: readonly string[];
  readonly limits: SeenLimits;
} {
  const values = (name: string) =>
    output.split('\n').flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));
  const limit = (name: string) => {
    const text = values(name)[0];
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
  };
  return { missing: values('missing'), limits: { pids: limit('pids'), memoryBytes: limit('memory') } };
}
