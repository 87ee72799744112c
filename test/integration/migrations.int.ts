import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLATFORM_TENANT, type Provisioning, type TenantRef } from '../../src/platform/database/index.js';
import { migration } from '../support/migrations.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const CELL = 'eu-test-1-c1';

describe('a migration of many tenants', () => {
  let db: TestDatabase;
  const tenants: TenantRef[] = [];
  beforeAll(async () => {
    db = await openTestDatabase();
    for (let at = 0; at < 12; at += 1) tenants.push(await db.newTenant());
  });
  afterAll(() => db.close());

  let version = 20_270_101_000_000;
  let column = '';
  beforeEach(() => {
    version += 1;
    column = `added_${version}`;
  });
  const adding = () => migration(`Adds${version}`, [`ALTER TABLE agents ADD COLUMN ${column} integer`]);

  /** Tenants whose `agents` has the column, and tenants of which the ledger and the version say so. */
  async function state(): Promise<{ changed: string[]; noted: string[]; versions: string[] }> {
    const one = async (text: string, values: unknown[]): Promise<string[]> =>
      (await db.superuser.query<{ schema: string }>(text, values)).rows.map(({ schema }) => schema);
    return {
      changed: await one(
        `SELECT table_schema AS schema FROM information_schema.columns
         WHERE table_name = 'agents' AND column_name = $1 ORDER BY 1`,
        [column],
      ),
      noted: await one('SELECT schema FROM migrations.ledger WHERE version = $1 ORDER BY 1', [version]),
      versions: await one('SELECT schema FROM migrations.schemas WHERE version >= $1 ORDER BY 1', [version]),
    };
  }
  const all = (): string[] => tenants.map(({ id }) => id).toSorted();
  const without = (...out: TenantRef[]): string[] => all().filter((id) => !out.some((one) => one.id === id));
  async function migrate(provisioning: Provisioning, options = {}) {
    const report = (await provisioning.migrate(options)).get(CELL);
    if (!report) throw new Error('There is no report.');
    return report;
  }
  const nth = (at: number): TenantRef => tenants[at] ?? expect.fail('There are not so many tenants.');

  /** Makes the migration fail for one tenant: it has the column already. */
  async function spoil(tenant: TenantRef): Promise<() => Promise<unknown>> {
    await db.superuser.query(`ALTER TABLE "${tenant.id}".agents ADD COLUMN ${column} integer`);
    return () => db.superuser.query(`ALTER TABLE "${tenant.id}".agents DROP COLUMN ${column}`);
  }

  it('reaches each once, and is then nothing to do', async () => {
    const newer = db.withMigrations(adding());
    expect(await migrate(newer)).toMatchObject({ migrated: 12, failed: [] });
    expect(await state()).toEqual({ changed: all(), noted: all(), versions: all() });
    expect(await migrate(newer)).toMatchObject({ cell: 0, migrated: 0, failed: [] });
  });

  it('is shared by migrators that run at once, and applied twice to nobody', async () => {
    const made = adding();
    const reports = await Promise.all(
      Array.from({ length: 3 }, () => migrate(db.withMigrations(made), { workers: 2, batch: 2 })),
    );
    expect(reports.map(({ failed }) => failed)).toEqual([[], [], []]);
    expect(reports.reduce((sum, { migrated }) => sum + migrated, 0)).toBe(12);
    expect(await state()).toEqual({ changed: all(), noted: all(), versions: all() });
  });

  it('fails for the one tenant that is the reason, and goes on with the others of its batch', async () => {
    const tenant = nth(5);
    const repair = await spoil(tenant);
    const newer = db.withMigrations(adding());
    const canaries = [nth(0)];
    const { failed, migrated } = await migrate(newer, { canaries });
    expect(failed).toEqual([
      { schema: tenant.id, migration: `Adds${version}`, reason: expect.stringContaining('already exists') },
    ]);
    expect(migrated).toBe(11);
    expect((await state()).noted).toEqual(without(tenant));
    await repair();
    expect(await migrate(newer)).toMatchObject({ migrated: 1, failed: [] });
    expect(await state()).toEqual({ changed: all(), noted: all(), versions: all() });
  });

  it('stops at a canary that fails, before it touches anybody else', async () => {
    const tenant = nth(3);
    const repair = await spoil(tenant);
    const newer = db.withMigrations(adding());
    const report = await migrate(newer, { canaries: [tenant] });
    expect(report).toMatchObject({ migrated: 0, stopped: true, failed: [{ schema: tenant.id }] });
    expect((await state()).noted).toEqual([]);
    await repair();
    expect(await migrate(newer, { canaries: [tenant] })).toMatchObject({ migrated: 12, stopped: false });
  });

  it('chooses a canary itself where none is named: a tenant, and the installation’s own before it', async () => {
    const own = { id: PLATFORM_TENANT, region: 'eu-test-1', cell: CELL };
    await db.provisioning.createTenant(own);
    try {
      const [first] = all();
      const repair = await spoil({ id: first as TenantRef['id'], region: 'eu-test-1', cell: CELL });
      const newer = db.withMigrations(adding());
      expect(await migrate(newer)).toMatchObject({ migrated: 1, stopped: true });
      expect((await state()).noted).toEqual([PLATFORM_TENANT]);
      await repair();
      await migrate(newer);
    } finally {
      await db.provisioning.dropTenant(own);
    }
  });

  it('waits for a busy tenant, not for long, and comes back to it after the others', async () => {
    const busy = await db.superuser.connect();
    const tenant = nth(7);
    try {
      await busy.query('BEGIN');
      await busy.query(`LOCK TABLE "${tenant.id}".agents IN ACCESS SHARE MODE`);
      const migrating = migrate(db.withMigrations(adding()), { canaries: [nth(0)] });
      await expect.poll(async () => (await state()).noted, { timeout: 15_000 }).toEqual(without(tenant));
      await busy.query('ROLLBACK');
      expect(await migrating).toMatchObject({ migrated: 12, failed: [] });
    } finally {
      busy.release();
    }
    expect((await state()).changed).toEqual(all());
  });

  it('gives a tenant up that stays busy, and says so', async () => {
    const busy = await db.superuser.connect();
    const tenant = nth(2);
    const newer = db.withMigrations(adding());
    try {
      await busy.query('BEGIN');
      await busy.query(`LOCK TABLE "${tenant.id}".agents IN ACCESS SHARE MODE`);
      const report = await migrate(newer, { canaries: [nth(0)] });
      expect(report).toMatchObject({
        migrated: 11,
        failed: [{ schema: tenant.id, reason: expect.stringContaining('busy') }],
      });
      await busy.query('ROLLBACK');
    } finally {
      busy.release();
    }
    expect(await migrate(newer)).toMatchObject({ migrated: 1, failed: [] });
  });

  it('leaves a tenant alone that somebody creates or drops at the moment', async () => {
    const other = await db.superuser.connect();
    const tenant = nth(4);
    try {
      await other.query('BEGIN');
      await other.query('SELECT pg_advisory_xact_lock(7283005, hashtext($1))', [tenant.id]);
      const migrating = migrate(db.withMigrations(adding()), { canaries: [nth(0)] });
      await expect.poll(async () => (await state()).noted, { timeout: 15_000 }).toEqual(without(tenant));
      await other.query('ROLLBACK');
      expect(await migrating).toMatchObject({ migrated: 12, failed: [] });
    } finally {
      other.release();
    }
  });

  it('does what statements that take many locks need in smaller transactions', async () => {
    const tables = Array.from(
      { length: 300 },
      (_, at) => `CREATE TABLE ${column}_${at} (id integer PRIMARY KEY)`,
    );
    const report = await migrate(db.withMigrations(migration(`Many${version}`, tables)));
    expect(report).toMatchObject({ migrated: 12, failed: [] });
    const together = await db.superuser.query<{ most: number }>(
      `SELECT max(count)::int AS most FROM
         (SELECT count(*) FROM migrations.ledger WHERE version = $1 GROUP BY applied_at) transactions`,
      [version],
    );
    expect(together.rows[0]?.most).toBe(2);
  });

  it('never names what a row contains', async () => {
    const tenant = nth(6);
    await db.superuser.query(
      `INSERT INTO "${tenant.id}".projects (id, name, created_by) VALUES (gen_random_uuid(), 'hidden-name', 'x')`,
    );
    const converting = migration(`Converts${version}`, [
      'ALTER TABLE projects ALTER COLUMN name TYPE integer USING name::integer',
    ]);
    const report = await migrate(db.withMigrations(converting), { canaries: [tenant] });
    expect(report.failed).toHaveLength(1);
    expect(JSON.stringify(report)).not.toContain('hidden-name');
    expect(report.failed[0]?.reason).toContain('22P02');
  });
});

describe('migrations that disagree with what was applied', () => {
  let db: TestDatabase;
  let tenant: TenantRef;
  const first = migration('First20270101000001', ['ALTER TABLE agents ADD COLUMN one integer']);
  const third = migration('Third20270101000003', ['ALTER TABLE agents ADD COLUMN three integer']);
  beforeAll(async () => {
    db = await openTestDatabase();
    tenant = await db.newTenant();
    await db.newTenant();
    await db.withMigrations(first, third).migrate();
  });
  afterAll(() => db.close());

  it('are refused where an applied one was edited, even if one tenant alone shows it', async () => {
    const edited = migration('First20270101000001', ['ALTER TABLE agents ADD COLUMN other integer']);
    await expect(db.withMigrations(edited, third).migrate()).rejects.toThrow(
      'First20270101000001 was changed',
    );
    await expect(db.withMigrations(edited, third).pending()).rejects.toThrow('was changed');
    const set =
      'UPDATE migrations.ledger SET checksum = $1 WHERE version = 20270101000001 AND schema = $2 RETURNING 1';
    const { rows } = await db.superuser.query<{ checksum: string }>(
      'SELECT checksum FROM migrations.ledger WHERE version = 20270101000001 LIMIT 1',
    );
    await db.superuser.query(set, ['0000', tenant.id]);
    await expect(db.withMigrations(first, third).migrate()).rejects.toThrow('was changed');
    await db.superuser.query(set, [rows[0]?.checksum, tenant.id]);
    await db.withMigrations(first, third).migrate();
  });

  it('are refused where one is older than one that was applied', async () => {
    const second = migration('Second20270101000002', ['ALTER TABLE agents ADD COLUMN two integer']);
    await expect(db.withMigrations(first, second, third).migrate()).rejects.toThrow('newer timestamp');
  });

  it('are not disturbed by those of a newer program', async () => {
    const reports = await db.withMigrations(first).migrate();
    expect(reports.get(CELL)).toMatchObject({ migrated: 0, failed: [] });
    expect(await db.withMigrations(first).isCurrent(tenant)).toBe(true);
  });

  it('are refused where two have the same timestamp', async () => {
    const twin = migration('Twin20270101000003', ['SELECT 1']);
    await expect(db.withMigrations(first, third, twin).plan()).rejects.toThrow('same timestamp');
  });
});

describe('a plan', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openTestDatabase();
    await db.newTenant();
    await db.newTenant();
  });
  afterAll(() => db.close());

  it('says what is pending, and changes nothing', async () => {
    const newer = db.withMigrations(
      migration('Adds20270101000001', ['ALTER TABLE agents ADD COLUMN one integer']),
    );
    const pending = (await newer.pending()).get(CELL);
    expect(pending?.cell).toEqual([]);
    const newest = Math.max(...(await db.provisioning.plan()).tenant.map(({ version }) => version));
    expect(pending?.behind).toEqual([{ version: newest, tenants: 2, spares: 0 }]);
    expect((await newer.pending()).get(CELL)).toEqual(pending);
  });
});

it('the bookkeeping of a database that is older than the spares is brought up to date', async () => {
  const db = await openTestDatabase();
  try {
    const tenant = await db.newTenant();
    await db.superuser.query(
      `DROP TABLE migrations.spares; DROP INDEX migrations.ledger_contents; ALTER TABLE migrations.schemas DROP COLUMN version`,
    );
    await expect(db.withMigrations().requireCurrent(false)).rejects.toThrow('not up to date');
    const reports = await db.withMigrations().migrate();
    expect(reports.get(CELL)).toMatchObject({ migrated: 0, failed: [] });
    expect(await db.provisioning.isCurrent(tenant)).toBe(true);
    await db.withMigrations().requireCurrent(false);
  } finally {
    await db.close();
  }
});
