import { once } from 'node:events';
import { expect, it } from 'vitest';
import { never } from '../core/never.ts';
import { type Finding, ok } from './finding.ts';
import { untilItFails } from './run-doctor.ts';

it('says of checks that take too long what to do, after what they have found', async () => {
  const checks = async function* (limit: AbortSignal) {
    yield ok('engine', 'answers');
    await once(limit, 'abort');
    limit.throwIfAborted();
  };

  const findings: Finding[] = [];
  for await (const finding of untilItFails('engine', never, checks, 1)) findings.push(finding);

  expect(findings).toMatchObject([
    { level: 'ok' },
    {
      level: 'FAIL',
      found: 'not looked at to the end within 0.001 s',
      remedy: expect.stringContaining('less busy'),
    },
  ]);
});
