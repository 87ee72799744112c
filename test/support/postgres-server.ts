import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startTestPostgres } from './test-postgres.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a PostgreSQL of this run, as its superuser. */
    postgresUrl: string;
  }
}

/** One real PostgreSQL for all integration tests; each makes a database of its own in it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), 'waxell-test-'));
  await chmod(home, 0o711);
  const postgres = await startTestPostgres(join(home, 'data'));
  const { host, port, user, password, database } = postgres.connection;
  project.provide(
    'postgresUrl',
    `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`,
  );
  return async () => {
    await postgres.stop();
    await rm(home, { recursive: true, force: true });
  };
}
