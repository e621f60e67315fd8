import { lacksCommand } from '../../container/errors.ts';
import type { ContainerSpec } from '../../container/spec.ts';
import type { Container } from '../../container/step-runtime.ts';
import type { StepEnd } from '../../steps/task-steps.ts';
import { blameHost, type TimeLimit } from '../../steps/whose-fault.ts';
import { BuildrootStepFailed, rootLacks } from '../errors.ts';
import type { RootContext } from './root-context.ts';
import { judge, notPrepared, type Verdict } from './step-failure.ts';
import type { StepName } from './step-name.ts';

/**
 * Runs a step of the bootstrap image, with its output in root.log, and gives its status and the end of that. Throws
 * `BuildrootStepFailed` when it has run into a limit, and as `TaskSteps.runOfImage` does when package and repo are not to blame.
 */
export async function runBootstrap(
  context: RootContext,
  name: StepName,
  spec: ContainerSpec,
  signal: AbortSignal,
): Promise<{ readonly code: number; readonly end: string }> {
  const { host, request, logs, steps } = context;
  const { id, title } = name;
  const { solveSeconds, installSeconds } = host.stepLimits;
  const timeLimit: TimeLimit =
    name.phase === 'solve'
      ? { option: 'solve_timeout', seconds: solveSeconds }
      : { option: 'install_timeout', seconds: installSeconds };
  const step = {
    id,
    title,
    spec,
    log: { name: 'root.log', sink: logs.root },
    timeLimit,
    image: request.image,
    fills: [request.directory.absolute],
    removal: 'later',
  } as const;
  const { code, limit, end } = await timed(context, name, (ended) =>
    steps.runOfImage({ ...step, ended }, signal),
  );
  if (code === 0 || limit === null) return { code, end: end.toString() };
  await logs.root.write(`${missingNewline(end)}${title}: ${limit}\n`);
  throw new BuildrootStepFailed(`${title} (status ${code})`, notPrepared, { limit });
}

/**
 * Runs package code for as long as `rpmbuild_timeout` allows, with its output in build.log. Throws
 * `BuildrootStepFailed` for a status that is not `fine`; where its message names root.log alone, that has
 * the end of the output and the reason, too.
 */
export async function runPackageCode(
  context: RootContext,
  name: StepName,
  container: Container,
  verdict: Verdict,
  signal: AbortSignal,
): Promise<number> {
  const { logs, steps } = context;
  const { id, title } = name;
  const { rpmbuildTimeoutSeconds: seconds } = context.host.site;
  const log = { name: 'build.log', sink: logs.build };
  const started = () => steps.containers.removeEnded();
  const result = await timed(context, name, async (ended) => {
    try {
      return await steps.run({ id, title, container, log, seconds, started, ended }, signal);
    } catch (error) {
      if (!lacksCommand(error)) throw error;
      await logs.root.write(`${title}: ${rootLacks('bash')}\n`);
      throw new BuildrootStepFailed(title, notPrepared, { reason: rootLacks('bash'), cause: error });
    }
  });
  blameHost(title, result.code, result.end.toString(), null);
  const failure = judge(title, result, verdict, seconds);
  if (failure === null) return result.code;
  const { step, limit } = failure;
  if (limit !== null) await logs.build.write(`${missingNewline(result.end)}${title}: ${limit}\n`);
  if (failure.readsRootLog || limit !== null) {
    await logs.root.write(result.end);
    await logs.root.write(`${step} failed${limit === null ? '' : `: ${limit}`}\n`);
  }
  throw failure;
}

/** Tries a step once more that has come to no end, with containers of its own. */
export function twice<T>(
  { steps, logs }: RootContext,
  title: string,
  attempt: (isAgain: boolean) => Promise<T>,
): Promise<T> {
  return steps.twice(attempt, (reason) => logs.root.write(`${title} is tried once more: ${reason}\n`));
}

/** Says in the logs when a step begins and ends, and counts how long it took. */
async function timed(
  { host, logs }: RootContext,
  { phase, title }: StepName,
  run: (ended: (end: StepEnd) => void) => Promise<StepEnd>,
): Promise<StepEnd> {
  await logs.step(title, 'start');
  try {
    return await run(({ stepMs, ranMs, firstOutputMs }) => {
      host.meter.observe('koji_adjutant_phase_seconds', { phase }, stepMs / 1000);
      logs.took(title, stepMs, ranMs, firstOutputMs);
    });
  } finally {
    await logs.step(title, 'finish');
  }
}

/** What is missing for the next text to begin a line. */
function missingNewline(end: Uint8Array): string {
  return end.length === 0 || end.at(-1) === 0x0a ? '' : '\n';
}
