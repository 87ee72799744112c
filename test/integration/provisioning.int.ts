import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tenantId } from '../../src/platform/database/index.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('provisioning', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openTestDatabase();
  });
  afterAll(() => db.close());

  it('makes a tenant once, however many processes start at the same moment', async () => {
    const tenant = db.cells.home.tenant(tenantId(`t_${randomBytes(8).toString('hex')}`));
    await Promise.all(Array.from({ length: 6 }, () => db.provisioning.createTenant(tenant)));
    const noted = await db.superuser.query('SELECT 1 FROM migrations.schemas WHERE schema = $1', [tenant.id]);
    expect(noted.rowCount).toBe(1);
  });

  it('leaves a tenant no lock that others wait for', async () => {
    const tenant = await db.newTenant();
    for (const call of ['lock(1)', 'lock(1, 1)', 'lock_shared(1)', 'xact_lock(1)', 'unlock_all()']) {
      const text = `SELECT pg_advisory_${call}`;
      const asked = db.database.within(tenant, () => db.database.query({ text, values: [] }));
      await expect(asked).rejects.toThrow('permission denied');
    }
  });
});
