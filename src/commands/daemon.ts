import { parseDaemonArguments } from '../config/command-line.ts';
import type { RunCommand } from './command.ts';
import { runDaemon } from './start-daemon.ts';

/** `koji-adjutant [options]`: the daemon; takes kojid's options. */
export const run: RunCommand = (argv, { env }) => runDaemon(parseDaemonArguments(argv), env);
