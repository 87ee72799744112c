import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantId, TenantRef } from '../../src/platform/database/index.js';
import { migration } from '../support/migrations.js';
import { connectAs, openTestDatabase, type TestDatabase } from '../support/test-database.js';

const CELL = 'eu-test-1-c1';
const refill = (target: number) => ({ target, rest: 0, signal: new AbortController().signal });
const ref = (id: TenantId): TenantRef => ({ id, region: 'eu-test-1', cell: CELL });

describe('the pool of spare tenants', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openTestDatabase();
  });
  afterAll(() => db.close());

  async function spares(): Promise<{ schema: string; claimed: boolean }[]> {
    const { rows } = await db.superuser.query<{ schema: string; claimed: boolean }>(
      'SELECT schema, claimed_at IS NOT NULL AS claimed FROM migrations.spares ORDER BY built_at',
    );
    return rows;
  }
  const schemaExists = async (id: string): Promise<boolean> =>
    (await db.superuser.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [id])).rowCount === 1;
  const roleExists = async (id: string): Promise<boolean> =>
    (await db.superuser.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [id])).rowCount === 1;
  /** Uses up whatever an earlier test left. */
  async function emptied(): Promise<void> {
    for (const { schema } of await spares()) await db.provisioning.dropTenant(ref(schema as TenantId));
  }

  it('is filled up to the target and no further, by one filler of those that begin at once', async () => {
    await emptied();
    const built = await Promise.all(
      Array.from({ length: 4 }, () => db.provisioning.refillSpares(CELL, refill(5))),
    );
    expect(built.reduce((sum, one) => sum + one, 0)).toBe(5);
    expect(await spares()).toHaveLength(5);
    expect(await db.provisioning.refillSpares(CELL, refill(5))).toBe(0);
  });

  it('is not filled by a process that stops', async () => {
    await emptied();
    const signal = AbortSignal.abort();
    expect(await db.provisioning.refillSpares(CELL, { target: 5, rest: 0, signal })).toBe(0);
    expect(await spares()).toEqual([]);
  });

  it('hands each spare out once, to however many ask at the same moment; the others get new ids', async () => {
    await emptied();
    await db.provisioning.refillSpares(CELL, refill(20));
    const built = (await spares()).map(({ schema }) => schema);
    const ids = await Promise.all(Array.from({ length: 50 }, () => db.provisioning.claimId(CELL)));
    expect(new Set(ids).size).toBe(50);
    expect(ids.filter((id) => built.includes(id)).toSorted()).toEqual(built.toSorted());
  });

  it('gives a spare that became a tenant to nobody else, and has it out of the pool', async () => {
    await emptied();
    await db.provisioning.refillSpares(CELL, refill(1));
    const [spare] = await spares();
    const id = await db.provisioning.claimId(CELL);
    expect(id).toBe(spare?.schema);
    await db.provisioning.createTenant(ref(id));
    expect(await spares()).toEqual([]);
    expect(await schemaExists(id)).toBe(true);
    expect(await db.provisioning.dropAbandonedSpares(CELL, 0)).toBe(0);
    expect(await schemaExists(id)).toBe(true);
  });

  it('takes back a spare that was claimed for a slug that is taken, and hands it out again', async () => {
    await emptied();
    await db.provisioning.refillSpares(CELL, refill(1));
    const id = await db.provisioning.claimId(CELL);
    await db.provisioning.giveBackId(ref(id));
    expect(await db.provisioning.claimId(CELL)).toBe(id);
  });

  it('drops a spare whose claimer died, role and all; leaves those that are free, or claimed a moment ago', async () => {
    await emptied();
    await db.provisioning.refillSpares(CELL, refill(2));
    const id = await db.provisioning.claimId(CELL);
    expect(await db.provisioning.dropAbandonedSpares(CELL, 60)).toBe(0);
    expect(await db.provisioning.dropAbandonedSpares(CELL, 0)).toBe(1);
    expect(await schemaExists(id)).toBe(false);
    expect(await roleExists(id)).toBe(false);
    expect(await spares()).toEqual([{ schema: expect.any(String), claimed: false }]);
  });

  it('makes whole again what was dropped from under a claimer that was merely slow', async () => {
    await emptied();
    await db.provisioning.refillSpares(CELL, refill(1));
    const tenant = ref(await db.provisioning.claimId(CELL));
    await db.provisioning.dropAbandonedSpares(CELL, 0);
    await db.provisioning.createTenant(tenant);
    const rows = await db.database.within(tenant, () =>
      db.database.query({ text: 'SELECT count(*)::int AS count FROM users', values: [] }),
    );
    expect(rows).toEqual([{ count: 0 }]);
  });

  it('never loses a tenant to the mending, whichever of the two comes first', async () => {
    await emptied();
    await db.provisioning.refillSpares(CELL, refill(12));
    for (let round = 0; round < 12; round += 1) {
      const tenant = ref(await db.provisioning.claimId(CELL));
      await Promise.all([db.provisioning.createTenant(tenant), db.provisioning.dropAbandonedSpares(CELL, 0)]);
      expect(await schemaExists(tenant.id)).toBe(true);
    }
  });

  it('keeps tenants that were spares apart, as it does those that were built for somebody', async () => {
    await emptied();
    await db.provisioning.refillSpares(CELL, refill(2));
    const [one, other] = [ref(await db.provisioning.claimId(CELL)), ref(await db.provisioning.claimId(CELL))];
    for (const tenant of [one, other]) await db.provisioning.createTenant(tenant);
    await db.superuser.query(
      `INSERT INTO "${one.id}".projects (id, name, created_by) VALUES (gen_random_uuid(), 'of one', 'x')`,
    );
    const read = (tenant: TenantRef, text: string): Promise<unknown[]> =>
      db.database.within(tenant, () => db.database.query({ text, values: [] }));
    expect(await read(one, 'SELECT name FROM projects')).toEqual([{ name: 'of one' }]);
    expect(await read(other, 'SELECT name FROM projects')).toEqual([]);
    await expect(read(other, `SELECT name FROM "${one.id}".projects`)).rejects.toThrow('permission denied');
    await expect(read(one, `SELECT name FROM "${other.id}".projects`)).rejects.toThrow('permission denied');
  });

  it('gives a tenant that was a spare exactly the rights of one that was not', async () => {
    await emptied();
    const built = await db.newTenant();
    await db.provisioning.refillSpares(CELL, refill(1));
    const spare = ref(await db.provisioning.claimId(CELL));
    await db.provisioning.createTenant(spare);
    const rights = async ({ id }: TenantRef): Promise<unknown> => {
      const tables = await db.superuser.query(
        `SELECT table_name, string_agg(privilege_type, ',' ORDER BY privilege_type) FROM information_schema.role_table_grants
         WHERE grantee = $1 GROUP BY table_name ORDER BY 1`,
        [id],
      );
      const memberships = await db.superuser.query(
        `SELECT CASE roleid::regrole::text WHEN $1 THEN 'it' ELSE roleid::regrole::text END AS granted,
           CASE member::regrole::text WHEN $1 THEN 'it' ELSE member::regrole::text END AS member,
           inherit_option, set_option, admin_option FROM pg_auth_members
         WHERE roleid = $1::regrole OR member = $1::regrole ORDER BY 1, 2`,
        [id],
      );
      return { tables: tables.rows, memberships: memberships.rows };
    };
    expect(await rights(spare)).toEqual(await rights(built));
  });

  it('lets the login that claims change nothing but the claim', async () => {
    const control = await connectAs(db.url, 'control');
    try {
      for (const text of [
        'DELETE FROM migrations.spares',
        `INSERT INTO migrations.spares (schema) VALUES ('t_0000000000000001')`,
        `UPDATE migrations.spares SET schema = 't_0000000000000001'`,
        'UPDATE migrations.schemas SET version = 1',
      ])
        await expect(control.query(text)).rejects.toThrow('permission denied');
    } finally {
      await control.end();
    }
    const tenant = await db.newTenant();
    const asTenant = db.database.within(tenant, () =>
      db.database.query({ text: 'SELECT * FROM migrations.spares', values: [] }),
    );
    await expect(asTenant).rejects.toThrow('permission denied');
  });

  it('hands out none that is behind, until it is migrated as tenants are', async () => {
    await emptied();
    await db.provisioning.refillSpares(CELL, refill(2));
    const old = (await spares()).map(({ schema }) => schema);
    const newer = db.withMigrations(
      migration('Adds20270101000001', ['ALTER TABLE agents ADD COLUMN one integer']),
    );
    expect(old).not.toContain(await newer.claimId(CELL));
    expect((await newer.pending()).get(CELL)?.behind.at(-1)).toMatchObject({ spares: 2 });
    await newer.migrate();
    const claimed = ref(await newer.claimId(CELL));
    expect(old).toContain(claimed.id);
    // The program of the version before may have the other one: it has all that this program needs.
    expect(old).toContain(await db.provisioning.claimId(CELL));
    // But what it would build is out of date from the start.
    expect(await db.provisioning.refillSpares(CELL, refill(3))).toBe(0);
  });
});
