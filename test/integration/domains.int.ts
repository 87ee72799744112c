import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
import type { EventRecorder } from '../../src/audit/index.js';
import { DomainRegistry } from '../../src/domains/index.js';
import { PLATFORM_TENANT, tenantId, type TenantId } from '../../src/platform/database/index.js';
import { RegistryTransactions } from '../../src/platform/database/registry-transactions.js';
import { RegistryWork } from '../../src/requests/index.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

let db: TestDatabase;
let acme: TenantId;
let globex: TenantId;
let name: string;

beforeAll(async () => {
  db = await openTestDatabase();
  await db.provisioning.createTenant(db.cells.home.tenant(PLATFORM_TENANT));
});
afterAll(() => db.close());
beforeEach(async () => {
  [acme, globex] = [await registered(), await registered()];
  name = `${randomBytes(4).toString('hex')}.example`;
  await db.superuser.query('DELETE FROM audit.outbox');
});

async function registered(): Promise<TenantId> {
  const id = tenantId(`t_${randomBytes(8).toString('hex')}`);
  await db.superuser.query(
    `INSERT INTO control.tenants (id, slug, name, region, cell, status) VALUES ($1, $2, 'x', 'eu-test-1', 'eu-test-1-c1', 'active')`,
    [id, `s${id.slice(2)}`],
  );
  return id;
}

/** As each process has one. */
function registry(): DomainRegistry {
  const platform = db.cells.home.tenant(PLATFORM_TENANT);
  const recorder: Pick<EventRecorder, 'recordInRegistry' | 'committed'> = {
    recordInRegistry: async (transaction, event) => {
      const { bytes } = canonicalEvent(newEventId(), platform, event, undefined);
      await transaction.query({
        text: 'INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)',
        values: [PLATFORM_TENANT, bytes],
      });
    },
    committed: () => undefined,
  };
  const transactions = new RegistryTransactions(db.cells);
  return new DomainRegistry(db.cells, new RegistryWork(transactions, recorder as EventRecorder, db.cells));
}

async function events(): Promise<string[]> {
  const { rows } = await db.superuser.query<{ event: Buffer }>('SELECT event FROM audit.outbox ORDER BY id');
  return rows.map(({ event }) => (JSON.parse(event.toString()) as { action: string }).action);
}

it('a domain that several organisations claim at once is one’s, and the others are told so', async () => {
  const claims = [acme, globex, acme, globex, acme, globex].map((tenant) =>
    registry()
      .claim(tenant, name, 'somebody')
      .then(
        () => tenant,
        (error: { code?: string }) => error.code,
      ),
  );
  const outcomes = await Promise.all(claims);
  const holder = await registry().holder(name);
  expect([acme, globex]).toContain(holder);
  const other = holder === acme ? globex : acme;
  expect(outcomes.filter((one) => one === holder)).toHaveLength(3);
  expect(outcomes.filter((one) => one === 'DOMAIN_TAKEN')).toHaveLength(3);
  expect(outcomes).not.toContain(other);
  expect((await registry().heldBy(other)).size).toBe(0);
  // Of a claim that was refused there is no event that says that it was made.
  expect(await events()).toEqual(['domain.claimed', 'domain.claimed', 'domain.claimed']);
});

it('only its holder lets go of it, and then another may have it', async () => {
  await registry().claim(acme, name, 'somebody');
  await registry().release(globex, name, 'somebody');
  expect(await registry().holder(name)).toBe(acme);
  await registry().release(acme, name, 'somebody');
  expect(await registry().holder(name)).toBeUndefined();
  await registry().claim(globex, name, 'somebody');
  expect(await registry().holder(name)).toBe(globex);
});

it('a domain is free again when the organisation is gone', async () => {
  await registry().claim(acme, name, 'somebody');
  await db.superuser.query('DELETE FROM control.tenants WHERE id = $1', [acme]);
  expect(await registry().holder(name)).toBeUndefined();
});
