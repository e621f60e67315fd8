import type { Waits } from '../core/waits.ts';
import { describeWaits } from '../core/waits.ts';

/**
 * For commands without a daemon: until it is disposed, SIGUSR2 has the process say on standard error what its build waits
 * for, and since when.
 */
export function tellWaitsOnSignal(waits: Waits, command: string): Disposable {
  const tell = async () => {
    const tasks = waits.tasks;
    const lines = tasks.map(async (taskId) =>
      describeWaits(taskId === null ? 'besides' : 'the build', await waits.list(taskId)),
    );
    const told = tasks.length === 0 ? ['nothing is waited for'] : await Promise.all(lines);
    for (const line of told) process.stderr.write(`koji-adjutant ${command}: ${line}\n`);
  };
  const onSignal = () => {
    tell().catch((error: unknown) => process.stderr.write(`koji-adjutant ${command}: ${String(error)}\n`));
  };
  process.on('SIGUSR2', onSignal);
  return { [Symbol.dispose]: () => void process.off('SIGUSR2', onSignal) };
}
