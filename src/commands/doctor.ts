import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { containerLimits } from '../assembly/buildroot-services.ts';
import { reachEngine } from '../assembly/container-engine.ts';
import { defaultImage } from '../assembly/default-image.ts';
import { hubConnection } from '../assembly/hub-connection.ts';
import { openTrialArea } from '../assembly/trial-area.ts';
import { type DaemonArguments, parseDoctorArguments } from '../config/command-line.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import { readHostTrust } from '../core/host-trust.ts';
import { createLogger } from '../core/logger.ts';
import { closingWords, type Finding, fail, formatFinding, ok, warn } from '../doctor/finding.ts';
import { runDoctor } from '../doctor/run-doctor.ts';
import { hostArch } from '../rpm/arch.ts';
import { taskMethods } from '../tasks/registry.ts';
import { exitCode, type RunCommand, stopOnSignals } from './command.ts';

/**
 * `koji-adjutant doctor`: prints a line for each thing the daemon needs. Resolves with the exit code: 0, or 1
 * when something is a FAIL. May be run while the daemon runs.
 */
export const run: RunCommand = async (argv, { env, out, clock }) => {
  const args = parseDoctorArguments(argv);
  const found: Finding[] = [];
  const print = (finding: Finding): void => {
    found.push(finding);
    out.write(`${formatFinding(finding)}\n`);
  };
  const config = load(args, env, print);
  if (config !== null) await examine(config, args.quick, { env, clock }, print);
  out.write(`${closingWords(found, args.quick)}\n`);
  return found.some(({ level }) => level === 'FAIL') ? exitCode.failed : exitCode.ok;
};

function load(
  args: DaemonArguments,
  env: NodeJS.ProcessEnv,
  print: (finding: Finding) => void,
): Config | null {
  try {
    const config = loadConfig({ ...args, env });
    for (const warning of config.warnings) print(warn('configuration', formatProblem(warning), null));
    print(ok('configuration', 'loaded'));
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) print(fail('configuration', formatProblem(problem), null));
    for (const warning of error.warnings) print(warn('configuration', formatProblem(warning), null));
    return null;
  }
}

async function examine(
  config: Config,
  quick: boolean,
  { env, clock }: { readonly env: NodeJS.ProcessEnv; readonly clock: Clock },
  print: (finding: Finding) => void,
): Promise<void> {
  const { kojid, adjutant } = config;
  const log = createLogger('silent');
  using stopping = stopOnSignals('interrupted');
  // For what containers on trial need and write; the daemon's own place for it may not be there yet.
  const area = await mkdtemp(join(tmpdir(), 'koji-adjutant-doctor-'));
  try {
    const places = { workDir: area, topDir: kojid.topdir, logDir: area };
    const findings = runDoctor(
      {
        config,
        nodeVersion: process.version,
        user: currentUser(),
        arch: hostArch(),
        taskMethods: taskMethods(),
        image: defaultImage(adjutant.task_image_default),
        limits: await containerLimits(config),
        trust: await readHostTrust(env),
        connectEngine: async (signal) => reachEngine(config, places, env, clock, log, signal),
        quick,
        umask: process.umask(),
        openTrial: (signal) => openTrialArea(config, env, signal),
        connectHub: async () => {
          const { transport, auth, expectedUser } = await hubConnection(config);
          return { transport, auth, expectedUser, clock, log };
        },
      },
      stopping.signal,
    );
    for await (const finding of findings) print(finding);
  } finally {
    await rm(area, { recursive: true, force: true });
  }
}

function currentUser(): { readonly name: string; readonly uid: number } {
  const { username, uid } = userInfo();
  return { name: username, uid };
}
