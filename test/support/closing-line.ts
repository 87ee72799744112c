import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Closes a run with one line that says how many tests passed and failed, for whoever reads only the end. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        count[test.result().state] += 1;
        if (test.diagnostic()?.flaky)
          process.stdout.write(
            `\npassed at its second try only: ${module.relativeModuleId}: ${test.fullName}\n${firstTry(test)}`,
          );
      }
      // A hook that failed took its tests along, which then count as skipped.
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) count.failed += 1;
      // A file that could not be loaded has no tests, and has failed all the same.
      if (module.errors().length > 0) count.failed += 1;
    }
    const skipped = count.skipped + count.pending;
    process.stdout.write(
      `\n${count.passed} passed, ${count.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
    );
  }
}

/** What went wrong, and where: as the test passed in the end, nothing else tells it. */
function firstTry(test: TestCase): string {
  const [error] = test.result().errors ?? [];
  const at = error?.stacks?.[0];
  return error ? `${error.message}\n${at ? `at ${at.file}:${at.line}\n` : ''}` : '';
}
