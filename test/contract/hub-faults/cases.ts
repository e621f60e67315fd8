import { buildCases } from './build-cases.ts';
import type { CallCase } from './fault-bench.ts';
import { readCases } from './read-cases.ts';
import { sessionCases } from './session-cases.ts';
import { taskCases } from './task-cases.ts';

/** Every method of the hub that the daemon uses; docs/hub-calls.md says the same in words. */
export const callCases: readonly CallCase[] = [...sessionCases, ...taskCases, ...buildCases, ...readCases];
