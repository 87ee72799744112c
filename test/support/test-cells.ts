import { randomBytes } from 'node:crypto';
import { CELL_MIGRATIONS, TENANT_MIGRATIONS } from '../../src/migrations/index.js';
import {
  Cell,
  Cells,
  Provisioning,
  TenantDatabase,
  tenantId,
  type TenantRef,
} from '../../src/platform/database/index.js';
import { withMoveSessions, type MoveSessions } from '../../src/platform/database/moving/index.js';
import { TenantTransactions } from '../../src/platform/database/tenant-transactions.js';
import { LOGIN_SECRET, openTestDatabase, type TestDatabase } from './test-database.js';

/** Two cells, each with a database of its own on one server, as embedded ones have. */
export interface TestCells {
  readonly cells: Cells;
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly database: TenantDatabase;
  readonly transactions: TenantTransactions;
  /** A tenant of the source, that the target has an empty place for. */
  newMover(): Promise<{ readonly here: TenantRef; readonly there: TenantRef }>;
  sessions<T>(tenant: TenantRef, work: (sessions: MoveSessions) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function openTestCells(): Promise<TestCells> {
  const [source, target] = [await openTestDatabase(), await openTestDatabase()];
  const pools = { tenant: 4, lane: 2, control: 2, audit: 2 };
  const cell = (name: string, region: string, ownerUrl: string): Cell =>
    new Cell({ name, region, capacity: 100, ownerUrl }, LOGIN_SECRET, pools, [], () => undefined);
  const [a, b] = [cell('source', 'eu-test-1', source.url), cell('target', 'us-test-1', target.url)];
  const cells = new Cells([a, b]);
  await cells.open();
  const migrations = { cell: CELL_MIGRATIONS, tenant: TENANT_MIGRATIONS };
  const provisioning = new Provisioning(cells, LOGIN_SECRET, migrations);
  return {
    cells,
    source,
    target,
    database: new TenantDatabase(cells),
    transactions: new TenantTransactions(cells),
    newMover: async () => {
      const id = tenantId(`t_${randomBytes(8).toString('hex')}`);
      const mover = { here: a.tenant(id), there: b.tenant(id) };
      await provisioning.createTenant(mover.here);
      await provisioning.createTenant(mover.there);
      return mover;
    },
    sessions: (tenant, work) =>
      withMoveSessions({ source: a, target: b }, tenant.id, new AbortController().signal, work),
    close: async () => {
      await cells.close();
      await Promise.all([source.close(), target.close()]);
    },
  };
}
