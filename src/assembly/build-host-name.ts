import { execFile } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { hostname } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How long a name service that does not answer may hold up the start. */
const timeoutMs = 10_000;

/**
 * This host's full name as Python's `socket.getfqdn` finds it, which mock writes into packages as their
 * build host: the bare name when no name service knows it.
 */
export async function fullHostName(): Promise<string> {
  const name = hostname();
  try {
    const { address } = await lookup(name);
    const { stdout } = await run('getent', ['hosts', address], { timeout: timeoutMs });
    return chooseHostName(stdout) ?? name;
  } catch {
    // Python keeps the bare name as well: this is no error, many hosts have no other.
    return name;
  }
}

/** The first name with a dot in a line of `getent hosts`, else the first; null when there is none. */
export function chooseHostName(line: string): string | null {
  const [, ...names] = line.split('\n', 1).join('').trim().split(/\s+/);
  return names.find((name) => name.includes('.')) ?? names[0] ?? null;
}
