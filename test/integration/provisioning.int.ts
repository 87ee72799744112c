import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tenantId } from '../../src/platform/database/index.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('provisioning', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase();
  });
  afterAll(() => test.close());

  it('makes a tenant once, however many processes start at the same moment', async () => {
    const tenant = { id: tenantId(`t_${randomBytes(8).toString('hex')}`), region: 'eu-test-1' };
    await Promise.all(Array.from({ length: 6 }, () => test.provisioning.createTenant(tenant)));
    const noted = await test.superuser.query('SELECT 1 FROM migrations.schemas WHERE schema = $1', [
      tenant.id,
    ]);
    expect(noted.rowCount).toBe(1);
  });
});
