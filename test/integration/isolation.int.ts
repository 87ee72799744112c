import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { isTenantId, type TenantRef } from '../../src/platform/database/index.js';
import { connectAs, openTestDatabase, type TestDatabase } from '../support/test-database.js';

const TENANTS = 2;

describe('isolation of tenants', () => {
  let db: TestDatabase;
  let tenants: TenantRef[];

  beforeAll(async () => {
    db = await openTestDatabase({ pool: 3 });
    tenants = [];
    for (let at = 0; at < TENANTS; at += 1) tenants.push(await db.newTenant());
  });
  afterAll(() => db.close());

  describe('by the database itself, for whoever runs SQL under a tenant’s role', () => {
    let client: pg.Client;
    let own: string;
    let other: string;

    beforeAll(async () => {
      client = await connectAs(db.url, 'app');
      [own, other] = tenants.map((tenant) => tenant.id) as unknown as [string, string];
    });
    afterAll(() => client.end());

    /** As the driver does it, then whatever an attacker manages to send in the same session. */
    const asTenant = async (text: string, values: unknown[] = []): Promise<pg.QueryResult> => {
      await client.query(`START TRANSACTION; SET LOCAL ROLE "${own}"`);
      try {
        return await client.query(text, values);
      } finally {
        await client.query('ROLLBACK');
      }
    };

    it.each([
      ['reads a neighbour’s table', 'SELECT * FROM "OTHER".agents', /permission denied for schema/],
      ['reads the registry', 'SELECT * FROM control.tenants', /permission denied for schema/],
      ['reads signing keys', 'SELECT * FROM control.signing_keys', /permission denied for schema/],
      ['reads the audit log', 'SELECT * FROM audit.events', /permission denied/],
      ['reads the outbox', 'SELECT * FROM audit.outbox', /permission denied/],
      ['changes the audit log', `UPDATE audit.events SET action = 'x'`, /permission denied/],
      [
        'forges a neighbour’s event',
        `INSERT INTO audit.outbox (tenant, event) VALUES ('OTHER', 'x')`,
        /permission denied/,
      ],
      [
        'orders a neighbour’s run',
        `INSERT INTO work.runs (tenant, run_id) VALUES ('OTHER', gen_random_uuid())`,
        /permission denied/,
      ],
      ['reads whose runs are waiting', 'SELECT * FROM work.runs', /permission denied/],
      ['reads the queue', 'SELECT * FROM queue.job', /permission denied for schema/],
      [
        'switches role by function',
        `SELECT set_config('role', 'OTHER', false)`,
        /permission denied for function set_config/,
      ],
      ['creates a table', 'CREATE TABLE loot (x text)', /permission denied/],
      ['creates a temporary table', 'CREATE TEMP TABLE loot (x text)', /permission denied/],
      ['runs procedural code', `DO $x$ BEGIN PERFORM 1; END $x$`, /permission denied for language/],
      ['alters its own table', 'ALTER TABLE users DROP COLUMN email', /must be owner/],
      ['rewrites a published version', `UPDATE agent_versions SET definition = '{}'`, /permission denied/],
      ['deletes runs', 'DELETE FROM runs', /permission denied/],
      ['reads a file', `SELECT pg_read_file('/etc/passwd')`, /permission denied/],
      ['reads other sessions’ statements', `SELECT set_config('x.y','z',true)`, /permission denied/],
    ])('refuses who %s', async (_what, text, refusal) => {
      await expect(asTenant(text.replaceAll('OTHER', other))).rejects.toThrow(refusal);
    });

    it('stamps an outbox row with the role that wrote it', async () => {
      await client.query(`START TRANSACTION; SET LOCAL ROLE "${own}"`);
      await client.query(`INSERT INTO audit.outbox (event) VALUES ('x')`);
      await client.query('COMMIT');
      const { rows } = await db.superuser.query<{ tenant: string }>(
        'DELETE FROM audit.outbox RETURNING tenant',
      );
      expect(rows).toEqual([{ tenant: own }]);
    });

    it('gives the login itself no tenant’s rows without a switch', async () => {
      await expect(client.query(`SELECT * FROM "${own}".agents`)).rejects.toThrow(
        /permission denied for schema/,
      );
    });

    it('shows no neighbour’s running statements', async () => {
      const { rows } = await asTenant(
        `SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query <> ''`,
      );
      for (const row of rows) expect((row as { query: string }).query).toBe('<insufficient privilege>');
    });
  });

  it('keeps control and audit logins out of tenants’ schemas', async () => {
    for (const login of ['control', 'audit'] as const) {
      const client = await connectAs(db.url, login);
      await expect(client.query(`SELECT * FROM "${tenants[0]?.id}".users`)).rejects.toThrow(
        /permission denied/,
      );
      await expect(client.query(`SET ROLE "${tenants[0]?.id}"`)).rejects.toThrow(/permission denied/);
      await client.end();
    }
  });

  it('names every tenant so that it can stand in SQL', () => {
    for (const tenant of tenants) expect(isTenantId(tenant.id)).toBe(true);
    for (const wrong of ['t_', 'postgres', 't_0123456789abcdeF', 't_0123456789abcdef"', '', 7, null]) {
      expect(isTenantId(wrong)).toBe(false);
    }
  });
});
