// A vitest reporter: appends one JSON line about a run to the file named by KOJI_ADJUTANT_TEST_COUNTS, which
// scripts/test.sh adds up. Vitest's own JSON report does not say why a test was skipped.
import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';

export default class TestCounts {
  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env['KOJI_ADJUTANT_TEST_COUNTS'];
    if (file === undefined) return;
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      // A file that cannot be loaded has no tests to fail.
      if (module.state() === 'failed' && module.errors().length > 0) counts.failed += 1;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') counts.passed += 1;
        else if (result.state === 'skipped') {
          counts.skipped.push({
            test: `${relative(process.cwd(), module.moduleId)}: ${test.fullName}`,
            reason: result.note ?? null,
          });
        } else counts.failed += 1;
      }
    }
    appendFileSync(file, `${JSON.stringify(counts)}\n`);
  }
}
