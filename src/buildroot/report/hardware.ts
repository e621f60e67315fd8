import { readFile, statfs } from 'node:fs/promises';
import { cpus, loadavg, machine, release } from 'node:os';

/** Content of `hw_info.log`: what the build ran on, like mock's hw_info plugin. */
export async function describeHardware(directory: string): Promise<string> {
  const processors = cpus();
  const memory = await readFile('/proc/meminfo', 'utf8');
  const disk = await statfs(directory);
  const gib = (blocks: number) => `${((blocks * disk.bsize) / 2 ** 30).toFixed(1)} GiB`;
  return [
    'CPU info:',
    `Architecture: ${machine()}`,
    `CPU(s): ${processors.length}`,
    `Model name: ${processors[0]?.model ?? 'unknown'}`,
    `Load average: ${loadavg()
      .map((load) => load.toFixed(2))
      .join(' ')}`,
    `Kernel: ${release()}`,
    '',
    'Memory:',
    ...memory
      .split('\n')
      .filter((line) => /^(MemTotal|MemFree|MemAvailable|Cached|SwapTotal|SwapFree):/.test(line)),
    '',
    'Storage (work directory):',
    `Size: ${gib(disk.blocks)}`,
    `Available: ${gib(disk.bavail)}`,
    '',
  ].join('\n');
}
