import { havePgBouncer } from './pgbouncer.js';
import type { TestDatabaseOptions } from './test-database.js';

export interface DatabaseRoute {
  readonly route: string;
  readonly options: TestDatabaseOptions;
}

const directly: DatabaseRoute = { route: 'directly', options: {} };
const pooled: DatabaseRoute = {
  route: 'through PgBouncer with 3 server connections',
  options: { pool: 8, pooledOver: 3 },
};

/** The ways to a database that an operator can configure. What the driver promises, it promises on each. */
export const DATABASE_ROUTES: readonly DatabaseRoute[] = (await havePgBouncer())
  ? [directly, pooled]
  : [directly];
