import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { noControl } from '../../test/support/host-control.ts';
import { kojiSignatures } from '../../test/support/koji-signatures.ts';
import { taskRegistry } from './registry.ts';

const registry = taskRegistry(noControl);

function adaptersOf(module: Readonly<Record<string, unknown>>): readonly { methods: readonly string[] }[] {
  return Object.values(module).flatMap((exported) => {
    const made = exported instanceof Function && exported.name.endsWith('Task') ? exported({}) : exported;
    return made instanceof Object && 'methods' in made && Array.isArray(made.methods)
      ? [{ methods: made.methods }]
      : [];
  });
}

describe('taskRegistry', () => {
  it('has what every folder of tasks exports, and nothing else', async () => {
    const entries = await readdir(import.meta.dirname, { withFileTypes: true });
    const methods: string[] = [];
    for (const { name } of entries.filter((entry) => entry.isDirectory())) {
      const adapters = adaptersOf(await import(`./${name}/index.ts`));
      expect(adapters, name).not.toEqual([]);
      methods.push(...adapters.flatMap((adapter) => adapter.methods));
    }

    expect([...registry.keys()].sort()).toEqual(methods.sort());
    expect(new Set(methods).size).toBe(methods.length);
  });

  it("serves methods with koji's signatures", () => {
    expect([...registry.keys()].sort()).toEqual([...kojiSignatures.keys()].sort());
  });

  it.each([...registry])('reads the parameters of %s as koji does', (method, { signature }) => {
    const koji = kojiSignatures.get(method);
    expect(signature.names).toEqual(koji?.names);
    expect(signature.rest === true).toBe(koji?.rest);

    const parsed = signature.schema.safeParse({});
    const missing = parsed.success ? [] : parsed.error.issues.map(({ path }) => path[0]);

    expect(missing).toEqual(koji?.names.slice(0, koji.required));
  });

  it.each([
    ['build', 0.2],
    ['buildArch', 1.5],
    ['buildNotification', 0.1],
    ['createrepo', 1.5],
    ['default', 0.1],
    ['fork', 1],
    ['newRepo', 0.1],
    ['rebuildSRPM', 1],
    ['restart', 0.1],
    ['restartHosts', 0.1],
    ['restartVerify', 0.1],
    ['shutdown', 0],
    ['sleep', 0.25],
    ['subtask', 0.1],
    ['tagBuild', 1],
    ['tagNotification', 0.1],
    ['waitrepo', 0.2],
    ['waittest', 0.1],
  ])("gives %s kojid's weight of %d", (method, weight) => {
    expect(registry.get(method)?.weight).toBe(weight);
  });
});
