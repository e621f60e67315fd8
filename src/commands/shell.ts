import { hostname } from 'node:os';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { openCache } from '../assembly/buildroot-services.ts';
import { reachEngine } from '../assembly/container-engine.ts';
import { describeFailedRoot, enterFailedRoot, explain, listFailedRoots } from '../cache/failed-root-shell.ts';
import { CommandLineError } from '../config/command-line.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import { systemClock } from '../core/clock.ts';
import { BuilderError } from '../core/errors.ts';
import { createLogger } from '../core/logger.ts';
import { printableLines } from '../core/printable.ts';
import { workPlaces } from './daemon.ts';

interface ShellArguments {
  /** Null: show which there are. */
  readonly taskId: number | null;
  readonly command: string | null;
  readonly config?: string;
}

/**
 * `koji-adjutant shell TASK`: enters the buildroot of a failed task that this host has kept. Resolves with the exit code of
 * the shell, 1 when there is none to enter, 78 when the configuration is wrong. Throws `CommandLineError`.
 */
export async function runShellCommand(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  input: { readonly isTTY?: boolean },
  out: { write(text: string): unknown; readonly isTTY?: boolean },
): Promise<number> {
  const { taskId, command, config: configPath } = parse(argv);
  const complain = (message: string, code: number): number => {
    process.stderr.write(`koji-adjutant shell: ${printableLines(message)}\n`);
    return code;
  };
  const leave = new AbortController();
  const stop = () => leave.abort(new BuilderError('stopped', 'external', 'stopped'));
  // What is typed belongs to the shell inside.
  const pass = () => undefined;
  process.on('SIGTERM', stop).on('SIGHUP', stop).on('SIGINT', pass);
  try {
    const config = loadConfig({ ...(configPath !== undefined && { configPath }), env });
    const log = createLogger('silent');
    const { containers } = await reachEngine(config, workPlaces(config), env, systemClock, log, leave.signal);
    const ground = { containers, workDir: config.adjutant.state_dir, clock: systemClock, log };
    const { failed } = openCache(config, ground);
    const roots = await failed.list();
    const now = systemClock.now();
    const root = roots.find((each) => each.taskId === taskId);
    if (taskId === null) {
      out.write(listFailedRoots(roots, now));
      return 0;
    }
    if (root === undefined)
      return complain(`task ${taskId} has no root to enter; ${listFailedRoots(roots, now).trimEnd()}`, 1);
    if (command === null) out.write(describeFailedRoot(root, now));
    const visit = {
      workerId: `shell-${hostname()}-${process.pid}`,
      ...{ command, terminal: command === null && input.isTTY === true && out.isTTY === true },
    };
    return await enterFailedRoot(containers, failed, root, visit, leave.signal);
  } catch (error) {
    if (error instanceof ConfigError) return complain(error.problems.map(formatProblem).join('\n'), 78);
    if (error instanceof BuilderError) return complain(explain(error), 1);
    throw error;
  } finally {
    process.off('SIGTERM', stop).off('SIGHUP', stop).off('SIGINT', pass);
  }
}

function parse(argv: readonly string[]): ShellArguments {
  const output: string[] = [];
  const command = new Command('koji-adjutant shell')
    .description(
      'Enters the buildroot of a failed task, as sealed as the build was; without TASK shows which are kept',
    )
    .argument('[TASK]', 'number of the task', (text) => {
      if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It is no number of a task.');
      return Number(text);
    })
    .argument('[COMMAND...]', 'runs this there, in place of a shell')
    .option('-c, --config <FILE>', 'kojid.conf of the builder')
    .passThroughOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.push(text), writeErr: (text) => output.push(text) });
  try {
    command.parse([...argv], { from: 'user' });
    const [taskId = null, words = []] = command.processedArgs as [number?, string[]?]; // as declared above
    return {
      ...command.opts<Pick<ShellArguments, 'config'>>(),
      taskId,
      command: words.length === 0 ? null : words.join(' '),
    };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new CommandLineError(error.exitCode === 0 ? 0 : 2, output.join('').trimEnd());
  }
}
