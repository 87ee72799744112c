import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import {
  fakeNameServerAt,
  startFakeNameServer,
  type FakeNameServer,
  type NameServerAddress,
} from '../fakes/name-server.js';
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
    sharedNames: NameServerAddress;
  }
}

/** One application for all files of the project: starting one costs more than most of them take. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const names = await startFakeNameServer();
  // Identity providers of tests are on this machine.
  const env = { IDENTITY_PROVIDERS_ALLOW: '127.0.0.0/8', DNS_SERVERS: names.server };
  const app = await startApplication({ first: true, env });
  const { home, baseUrl, firstRun } = app;
  await spareTheDisk(await embeddedServer(home));
  project.provide('sharedApplication', { home, baseUrl, firstRun });
  project.provide('sharedNames', { server: names.server, control: names.control });
  return async () => {
    await app.dispose();
    await names.close();
  };
}

export function sharedApplication(): RunningApplication {
  return inject('sharedApplication');
}

/** The same at the address that it gives of itself to browsers. */
export function sharedSite(): RunningApplication {
  const app = sharedApplication();
  return { ...app, baseUrl: app.baseUrl.replace('127.0.0.1', 'localhost') };
}

/** The name server that it asks; names that tests set are their own. */
export function sharedNames(): FakeNameServer {
  return fakeNameServerAt(inject('sharedNames'));
}
