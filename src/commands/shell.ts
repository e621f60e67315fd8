import { hostname } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { openCache } from '../assembly/buildroot-services.ts';
import { reachEngine } from '../assembly/container-engine.ts';
import { workPlaces } from '../assembly/state-directory.ts';
import { describeFailedRoot, enterFailedRoot, listFailedRoots } from '../cache/failed-root-shell.ts';
import { parseWords } from '../config/command-line.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import { createLogger } from '../core/logger.ts';
import { complain, describeFailure, exitCode, type RunCommand, stopOnSignals } from './command.ts';

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
export const run: RunCommand = async (argv, { env, input, out, clock }) => {
  const { taskId, command, config: configPath } = parse(argv);
  using stopping = stopOnSignals('stopped', { signals: ['SIGTERM', 'SIGHUP'], again: 'ignored' });
  // What is typed belongs to the shell inside.
  const pass = () => undefined;
  process.on('SIGINT', pass);
  try {
    const config = loadConfig({ ...(configPath !== undefined && { configPath }), env });
    const log = createLogger('silent');
    const backend = await reachEngine(config, workPlaces(config), env, clock, log, stopping.signal);
    const parts = { backend, workDir: config.adjutant.state_dir, clock, log };
    const { failed } = openCache(config, parts);
    const roots = await failed.list();
    const now = clock.now();
    const root = roots.find((each) => each.taskId === taskId);
    if (taskId === null) {
      out.write(listFailedRoots(roots, now));
      return exitCode.ok;
    }
    if (root === undefined)
      return complain(
        'shell',
        `task ${taskId} has no root to enter; ${listFailedRoots(roots, now).trimEnd()}`,
        exitCode.failed,
      );
    if (command === null) out.write(describeFailedRoot(root, now));
    const visit = {
      workerId: `shell-${hostname()}-${process.pid}`,
      command,
      terminal: command === null && input.isTTY === true && out.isTTY === true,
    };
    return await enterFailedRoot(backend.runtime, failed, root, visit, stopping.signal);
  } catch (error) {
    const message = describeFailure(error);
    if (message === null) throw error;
    return complain('shell', message, error instanceof ConfigError ? exitCode.config : exitCode.failed);
  } finally {
    process.off('SIGINT', pass);
  }
};

function parse(argv: readonly string[]): ShellArguments {
  const command = new Command('koji-adjutant shell')
    .description(
      'Enters the buildroot of a failed task, as sandboxed as the build was; without TASK shows which are kept',
    )
    .argument('[TASK]', 'number of the task', (text) => {
      if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Write the number of a task.');
      return Number(text);
    })
    .argument('[COMMAND...]', 'runs this there, in place of a shell')
    .option('-c, --config <FILE>', 'kojid.conf of the builder')
    .passThroughOptions();
  return parseWords(command, argv, () => {
    const [taskId = null, words = []] = command.processedArgs as [number?, string[]?]; // as declared above
    return {
      ...command.opts<Pick<ShellArguments, 'config'>>(),
      taskId,
      command: words.length === 0 ? null : words.join(' '),
    };
  });
}
