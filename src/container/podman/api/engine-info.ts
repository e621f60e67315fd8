import type { z } from 'zod';
import { type Engine, libpod } from './client.ts';
import { Info } from './schema.ts';

/** What podman says about itself, its host and its storage. Rejects with `runtime-down` when nobody answers. */
export function askInfo(engine: Engine, signal: AbortSignal): Promise<z.infer<typeof Info>> {
  return engine.call(Info, {
    what: 'ask podman about itself',
    method: 'GET',
    path: `${libpod}/info`,
    ok: [200],
    signal,
  });
}
