// A vitest reporter: appends a JSON line about each project of a run to the file named by KOJI_ADJUTANT_TEST_COUNTS, which
// scripts/test.sh adds up. Vitest's own JSON report does not say why a test was skipped, nor how long a file's
// hooks took.
import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import { performance } from 'node:perf_hooks';

export default class TestCounts {
  /** Milliseconds in hooks before and after all tests, by file. */
  #hooks = new Map();
  #began = new Map();

  onHookStart({ name, entity }) {
    if (name.endsWith('All')) this.#began.set(`${name} ${entity.id}`, performance.now());
  }

  onHookEnd({ name, entity }) {
    const began = this.#began.get(`${name} ${entity.id}`);
    if (began === undefined) return;
    const file = (entity.module ?? entity).moduleId;
    this.#hooks.set(file, (this.#hooks.get(file) ?? 0) + performance.now() - began);
  }

  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env['KOJI_ADJUTANT_TEST_COUNTS'];
    if (file === undefined) return;
    const byProject = Map.groupBy(modules, (module) => module.project.name);
    const lines = [...byProject].map(([project, ofProject]) => ({ project, ...this.#count(ofProject) }));
    // Those belong to no file.
    if (unhandledErrors.length > 0)
      lines.push({ project: null, passed: 0, failed: unhandledErrors.length, skipped: [], files: [] });
    for (const line of lines) appendFileSync(file, `${JSON.stringify(line)}\n`);
  }

  #count(modules) {
    const counts = { passed: 0, failed: 0, skipped: [], files: [] };
    for (const module of modules) {
      const path = relative(process.cwd(), module.moduleId);
      // A file that cannot be loaded has no tests to fail.
      if (module.state() === 'failed' && module.errors().length > 0) counts.failed += 1;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') counts.passed += 1;
        else if (result.state === 'skipped')
          counts.skipped.push({ test: `${path}: ${test.fullName}`, reason: result.note ?? null });
        else counts.failed += 1;
      }
      const { duration } = module.diagnostic();
      counts.files.push({ file: path, ms: duration, hooksMs: this.#hooks.get(module.moduleId) ?? 0 });
    }
    return counts;
  }
}
