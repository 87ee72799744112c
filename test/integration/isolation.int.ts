import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { announce, isTenantId, type TenantRef } from '../../src/platform/database/index.js';
import { connectAs, openTestDatabase, type TestDatabase } from '../support/test-database.js';

const TENANTS = 2;

describe('isolation of tenants', { retry: 0 }, () => {
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
      ['sets a parameter by function', `SELECT set_config('x.y','z',true)`, /permission denied/],
      ['becomes another session’s user', 'SET SESSION AUTHORIZATION "OTHER"', /permission denied/],
      ['creates a schema', 'CREATE SCHEMA loot', /permission denied/],
      [
        'creates a function',
        `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
        /permission denied/,
      ],
      ['creates a type', 'CREATE TYPE loot AS (x int)', /permission denied/],
      ['creates an extension', 'CREATE EXTENSION dblink', /permission denied/],
      ['loads a library', `LOAD 'plpgsql'`, /not allowed|permission denied/],
      ['copies a neighbour’s table', 'COPY "OTHER".projects TO STDOUT', /permission denied/],
      ['runs a program', `COPY projects TO PROGRAM 'id'`, /permission denied/],
      ['takes an advisory lock', 'SELECT pg_advisory_lock(1)', /permission denied/],
      [
        'takes an advisory lock of the transaction',
        'SELECT pg_try_advisory_xact_lock(1)',
        /permission denied/,
      ],
      ['keeps a large object', 'SELECT lo_create(0)', /permission denied/],
      ['reads a large object', 'SELECT lo_get(1)', /permission denied/],
      ['writes a large object', `SELECT lo_from_bytea(0, 'x')`, /permission denied/],
      ['imports a file', `SELECT lo_import('/etc/passwd')`, /permission denied/],
      ['lists a folder', `SELECT pg_ls_dir('/')`, /permission denied/],
      ['ends another session', 'SELECT pg_terminate_backend(PID)', /permission denied/],
      ['cancels another session’s statement', 'SELECT pg_cancel_backend(PID)', /permission denied/],
      ['looks at other sessions', 'SELECT query FROM pg_stat_activity', /permission denied/],
      ['looks at other sessions by function', 'SELECT pg_stat_get_activity(NULL)', /permission denied/],
      ['looks at others’ prepared statements', 'SELECT * FROM pg_prepared_statements', /permission denied/],
      ['does so by function', 'SELECT pg_prepared_statement()', /permission denied/],
      ['looks at locks', 'SELECT * FROM pg_locks', /permission denied/],
      ['counts a neighbour’s rows', 'SELECT reltuples FROM pg_class', /permission denied/],
      ['counts them by statistics', 'SELECT n_live_tup FROM pg_stat_user_tables', /permission denied/],
      ['counts them by function', 'SELECT pg_stat_get_live_tuples(1)', /permission denied/],
      ['measures a neighbour’s table', 'SELECT pg_total_relation_size(1)', /permission denied/],
      ['measures one by its size alone', 'SELECT pg_relation_size(1)', /permission denied/],
      ['lists the other tenants', 'SELECT rolname FROM pg_roles', /permission denied/],
      ['lists their schemas', 'SELECT nspname FROM pg_namespace', /permission denied/],
      ['reads password hashes', 'SELECT passwd FROM pg_shadow', /permission denied/],
      ['runs SQL from text', `SELECT query_to_xml('SELECT 1', true, true, '')`, /permission denied/],
      [
        'writes to the log of changes',
        `SELECT pg_logical_emit_message(false, 'a', 'b')`,
        /permission denied/,
      ],
      ['announces what it likes', `SELECT pg_notify('waxell', '{}')`, /permission denied/],
      ['joins a neighbour', 'GRANT "OTHER" TO "OWN"', /permission denied/],
      ['drops its own schema', 'DROP SCHEMA "OWN" CASCADE', /must be owner/],
      ['empties its own table', 'TRUNCATE runs', /permission denied/],
    ])('refuses who %s', async (_what, text, refusal) => {
      const { rows } = await db.superuser.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const meant = text.replaceAll('OTHER', other).replaceAll('OWN', own);
      await expect(asTenant(meant.replace('PID', String(rows[0]?.pid)))).rejects.toThrow(refusal);
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

    it('stamps an announcement with the role in force: nobody announces a neighbour’s change', async () => {
      const listener = await connectAs(db.url, 'control');
      const heard = Promise.withResolvers<unknown>();
      listener.on('notification', ({ payload }) => heard.resolve(JSON.parse(payload ?? '')));
      await listener.query('LISTEN waxell');
      const change = { kind: 'run_cancel', tenant: other, id: `x","tenant":"${other}` } as const;
      await db.database.within(tenants[0] as TenantRef, () =>
        db.transactions.run(() => db.database.query(announce(change))),
      );
      expect(await heard.promise).toEqual({ ...change, tenant: own });
      await listener.end();
    });

    it('lists of tables in the information schema its own alone', async () => {
      const { rows } = await asTenant(
        `SELECT DISTINCT table_schema AS schema FROM information_schema.tables WHERE table_schema LIKE 't\\_%'`,
      );
      expect(rows).toEqual([{ schema: own }]);
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
