import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';

const Line = z.looseObject({
  msg: z.string(),
  taskId: z.int().optional(),
  sessionId: z.int().optional(),
  reason: z.string().optional(),
});
const Closed = z.object({ calls: z.int(), uploads: z.int(), uploadedBytes: z.int() });

/** The lines of a daemon's log, as far as it has written them. */
export async function daemonLines(path: string): Promise<readonly z.infer<typeof Line>[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith('{')).map((line) => Line.parse(JSON.parse(line)));
}

/** What a task has asked of the hub in its own session, from the line with which that is closed. */
export async function trafficOf(path: string, taskId: number): Promise<z.infer<typeof Closed>> {
  const inTime = AbortSignal.timeout(30_000);
  for (;;) {
    const lines = await daemonLines(path);
    const started = lines.find((line) => line.msg === 'task started' && line.taskId === taskId);
    const closed = lines.find(
      ({ msg, sessionId }) => msg === 'session closed' && sessionId === started?.sessionId,
    );
    if (closed !== undefined) return Closed.parse(closed);
    await systemClock.sleep(100, inTime);
  }
}
