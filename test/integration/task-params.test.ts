import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import { decodeParams, type TaskSignature } from '../../src/tasks/params.ts';
import { taskRegistry } from '../../src/tasks/registry.ts';
import { noControl } from '../support/host-control.ts';
import { kojiSignatures } from '../support/koji-signatures.ts';

/** Reads task requests as koji does; koji's source is found by KOJI_SRC, or installed. */
const python = ['python3', '/usr/bin/python3'].find(
  (program) => runPython(program, 'import koji.tasks') === '',
);
const reason = python === undefined ? ' (skipped: no python3 can import koji; set KOJI_SRC)' : '';

function runPython(program: string, source: string, input = ''): string | null {
  const env = { ...process.env, PYTHONPATH: process.env['KOJI_SRC'] ?? '' };
  const { status, stdout } = spawnSync(program, ['-c', source], { env, input, encoding: 'utf8' });
  return status === 0 ? stdout : null;
}

const read = `
import json, sys
import koji, koji.tasks
outcomes = []
for method, params in json.load(sys.stdin):
    try:
        outcomes.append(koji.tasks.parse_task_params(method, params))
    except koji.ParameterError as error:
        outcomes.append(None)
json.dump(outcomes, sys.stdout)
`;

/** Any value is fine: only where it lands is of interest. */
function anyValues(method: string): TaskSignature<unknown> {
  const { names = [], required = 0, rest = false } = kojiSignatures.get(method) ?? {};
  const value = z.custom((given) => given !== undefined);
  const shape = names.map((name, index) => [name, index < required ? value : value.optional()]);
  return { names, ...(rest && { rest }), schema: z.object(Object.fromEntries(shape)) };
}

const requests: readonly (readonly [string, readonly RpcValue[]])[] = [
  ['build', ['a.src.rpm', 'f1']],
  ['build', ['a.src.rpm', null, { scratch: true }]],
  ['build', ['a.src.rpm']],
  ['build', ['a.src.rpm', 'f1', {}, 'more']],
  ['build', ['a.src.rpm', { __starstar: true, target: 'f1' }]],
  ['build', ['a.src.rpm', { __starstar: true, target: 'f1', src: 'b' }]],
  ['build', ['a.src.rpm', 'f1', { __starstar: true, colour: 'red' }]],
  ['build', ['a.src.rpm', 'f1', { __starstar: false, colour: 'red' }]],
  ['build', [{ __method__: 'build', src: 'a', target: 'f1' }]],
  ['waitrepo', ['f1']],
  ['waitrepo', ['f1', null, ['a-1-1'], 7]],
  ['createrepo', [1, 'x86_64']],
  ['createrepo', [1, 'x86_64', null]],
  ['shutdown', []],
  ['shutdown', [1]],
  ['sleep', [{ __starstar: true, n: 3 }]],
  ['newRepo', ['f1', { __starstar: true, opts: {} }]],
];

describe.skipIf(python === undefined)(`koji's reading of task parameters${reason}`, () => {
  const ask = (source: string, input = ''): unknown =>
    JSON.parse(runPython(python ?? '', source, input) ?? '');

  it('has the signatures this builder goes by', () => {
    const source = 'import json, koji.tasks; print(json.dumps(koji.tasks.LEGACY_SIGNATURES))';
    const signatures = z
      .record(
        z.string(),
        z.array(
          z.tuple([z.array(z.string()), z.string().nullable(), z.unknown(), z.array(z.unknown()).nullable()]),
        ),
      )
      .parse(ask(source));

    for (const [method, { names, required, rest }] of kojiSignatures) {
      const [kojiNames, varargs, , defaults] = signatures[method]?.at(-1) ?? [[], null, null, null];
      expect({ method, names: kojiNames, required: kojiNames.length - (defaults ?? []).length }).toEqual({
        method,
        names,
        required,
      });
      expect(varargs !== null).toBe(rest);
    }
    expect([...taskRegistry(noControl).keys()].sort()).toEqual([...kojiSignatures.keys()].sort());
  });

  it('puts the same values under the same names, and refuses the same requests', () => {
    const theirs = z
      .array(z.record(z.string(), z.unknown()).nullable())
      .parse(ask(read, JSON.stringify(requests)));

    for (const [index, [method, params]] of requests.entries()) {
      let ours: unknown = null;
      try {
        ours = decodeParams(method, anyValues(method), params);
      } catch {
        // What they think of it is compared below.
      }
      const expected = theirs[index] ?? null;
      const given =
        expected === null || ours === null
          ? expected
          : Object.fromEntries(
              Object.entries(expected).filter(([name]) => Object.hasOwn(ours as object, name)),
            );
      expect({ method, params, read: ours }).toEqual({ method, params, read: given });
    }
  });
});
