import { createHash } from 'node:crypto';

/** Marks the containers of one worker: by its name on the hub and its area, as one host may work for several hubs. */
export function workerIdOf(hostName: string, workDir: string): string {
  return `${hostName}-${shortDigest(workDir)}`;
}

/** Name of a container, unlike those of other workers that use the same engine. */
export function containerName(workerId: string, ...parts: readonly (string | number)[]): string {
  return `koji-adjutant-${shortDigest(workerId)}-${parts.join('-')}`;
}

function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
