import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { startApplication, type FirstRun } from './application.js';
import { embeddedServer } from './embedded-database.js';
import { spareTheDisk } from './test-postgres.js';

/** A running application that a test uses and does not end: its organisations are the test's own. */
export interface RunningApplication {
  readonly home: string;
  readonly baseUrl: string;
  readonly firstRun: FirstRun;
}

declare module 'vitest' {
  interface ProvidedContext {
    sharedApplication: RunningApplication;
  }
}

/** One application for all files of the project: starting one costs more than most of them take. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const app = await startApplication({ first: true });
  const { home, baseUrl, firstRun } = app;
  await spareTheDisk(await embeddedServer(home));
  project.provide('sharedApplication', { home, baseUrl, firstRun });
  return () => app.dispose();
}

export function sharedApplication(): RunningApplication {
  return inject('sharedApplication');
}
