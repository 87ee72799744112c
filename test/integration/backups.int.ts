import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuditLog } from '../../src/audit/index.js';
import { refuseSharedKey } from '../../src/backups/index.js';
import {
  ChangedMeanwhile,
  readCell,
  requireEmpty,
  restoreCell,
  type BackupPart,
  type TenantRef,
} from '../../src/platform/database/index.js';
import {
  contentsOf,
  currentPlan,
  EVENTS,
  openBackups,
  type Backups,
  type EmptyDatabase,
} from '../support/backups.js';
import { appendEvents } from '../support/cold-logs.js';
import { clientOf, startKeyProcess } from '../support/key-process.js';
import { found } from '../support/key-tenants.js';
import { verifierOf } from '../support/log-parts.js';
import { connectAs, LOGIN_SECRET, type TestDatabase } from '../support/test-database.js';

/** What lets somebody in for a short time. */
const PASSING = [
  'federated_sessions',
  'impersonations',
  'password_resets',
  'refresh_tokens',
  'second_factor_challenges',
  'sessions',
  'sso_attempts',
  'trusted_devices',
];

let test: Backups;
beforeAll(async () => {
  test = await openBackups();
});
afterAll(() => test.close());

describe('a backup of a cell', () => {
  it('is not made under a key that an organisation has its data under', async () => {
    const { home } = test.db.cells;
    for (const { id } of [test.tenant, test.neighbour]) {
      const { rows } = await test.db.superuser.query<{ arn: string }>(
        `SELECT kms_key_id AS arn FROM "${id}".encryption_keys LIMIT 1`,
      );
      const arn = rows[0]?.arn ?? '';
      for (const name of [arn, arn.slice(arn.lastIndexOf('/') + 1)])
        await expect(refuseSharedKey(home, name)).rejects.toThrow(`the key of the organisation ${id}`);
    }
    await refuseSharedKey(home, test.key.keyId);
    await refuseSharedKey(home, 'alias/backups');
  });

  it('gives back every row of every tenant, the keys that open them, and logs that verify and go on', async () => {
    const before = await contentsOf(test.db.superuser, PASSING);
    const { folder: made, manifest } = await test.written();
    expect(manifest).toMatchObject({ tenants: 3, cell: 'eu-test-1-c1', region: 'eu-test-1' });
    await (await test.reopened(made)).verify();
    const into = await test.restored(made);
    expect(Object.keys(before).length).toBeGreaterThan(100);
    expect(await contentsOf(into.superuser, PASSING)).toEqual(before);
    const there = await startKeyProcess(into.url, clientOf(test.fake));
    const logThere = new AuditLog(into.cells);
    try {
      for (const one of [test.tenant, test.neighbour]) {
        expect(await found(there, one, `somebody@${one.id}.example`)).toContain('@');
        const verifier = verifierOf(into.cells, logThere);
        expect(await verifier.execute(one)).toMatchObject({ valid: true, checked: EVENTS });
        await appendEvents(logThere, one, 1);
        expect(await verifier.execute(one)).toMatchObject({ valid: true, checked: EVENTS + 1 });
      }
    } finally {
      await there.close();
      await logThere.onApplicationShutdown();
    }
  });

  it('holds no session, and keeps tenants apart where it is restored', async () => {
    const into = await test.restored((await test.written()).folder);
    const sessions = (of: TestDatabase | EmptyDatabase) =>
      of.superuser.query(`SELECT 1 FROM "${test.tenant.id}".sessions`);
    expect((await sessions(test.db)).rowCount).toBe(1);
    expect((await sessions(into)).rowCount).toBe(0);
    const app = await connectAs(into.url, 'app');
    try {
      await app.query(`SELECT set_config('role', $1, false)`, [test.tenant.id]);
      expect((await app.query('SELECT 1 FROM projects LIMIT 1')).rowCount).toBe(1);
      await expect(app.query(`SELECT 1 FROM "${test.neighbour.id}".projects`)).rejects.toThrow(
        'permission denied',
      );
    } finally {
      await app.end();
    }
  });

  it('leaves out tables that there are, to which none refers that it has', async () => {
    const { rows } = await test.db.superuser.query<{ name: string; referrers: string[] }>(
      `SELECT c.relname AS name, array(SELECT f.conrelid::regclass::text FROM pg_constraint f
         WHERE f.contype = 'f' AND f.confrelid = c.oid) AS referrers
       FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r' AND c.relname = ANY($2)`,
      [test.tenant.id, PASSING],
    );
    expect(rows.map(({ name }) => name).toSorted()).toEqual(PASSING);
    const referrers = rows.flatMap((row) => row.referrers.map((name) => name.replace(/^.*\./, '')));
    expect(referrers.filter((name) => !PASSING.includes(name))).toEqual([]);
  });

  it('is of one moment, whatever is written while it is made', async () => {
    const parts = readCell(test.db.cells.home);
    const first = await parts.next();
    const [here, there] = [
      await test.projectsIn(test.db, test.tenant),
      await test.projectsIn(test.db, test.neighbour),
    ];
    await test.addProjects(test.tenant, 5);
    await test.addProjects(test.neighbour, 5);
    const rest = async function* (): AsyncGenerator<BackupPart> {
      if (!first.done) yield first.value;
      yield* parts;
    };
    const into = await test.target();
    await restoreCell(into.cell, LOGIN_SECRET, await currentPlan(), rest());
    expect([await test.projectsIn(into, test.tenant), await test.projectsIn(into, test.neighbour)]).toEqual([
      here,
      there,
    ]);
    expect(await test.projectsIn(test.db, test.tenant)).toBe(here + 5);
  });

  it('is not made while the database is migrated, nor of a tenant that is purged meanwhile', async () => {
    const client = await test.db.superuser.connect();
    await client.query('SELECT pg_advisory_lock(7283001)');
    await expect(readCell(test.db.cells.home).next()).rejects.toThrow(ChangedMeanwhile);
    client.release(true);
    const gone = await test.db.newTenant();
    const drained = async (): Promise<void> => {
      let dropped = false;
      for await (const part of readCell(test.db.cells.home)) {
        if (part.kind !== 'tenant' || dropped) continue;
        dropped = true;
        await test.db.superuser.query(
          'UPDATE migrations.schemas SET version = version + 1 WHERE schema = $1',
          [gone.id],
        );
      }
    };
    await expect(drained()).rejects.toThrow(ChangedMeanwhile);
    await test.db.superuser.query('UPDATE migrations.schemas SET version = version - 1 WHERE schema = $1', [
      gone.id,
    ]);
    await test.db.provisioning.dropTenant(gone);
  });

  it('has the log periods that the cell had, and those alone', async () => {
    await test.db.superuser.query(`UPDATE audit.periods SET begun_at = now() WHERE period = 2`);
    await appendEvents(test.log, test.tenant, 2);
    const periods = (of: Pick<EmptyDatabase, 'superuser'>) =>
      of.superuser.query(
        `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit.events'::regclass ORDER BY 1`,
      );
    const wanted = (await periods(test.db)).rows;
    const into = await test.restored((await test.written()).folder);
    expect((await periods(into)).rows).toEqual(wanted);
    const { rows } = await into.superuser.query(
      `SELECT count(*)::int AS n FROM audit.events_2 WHERE tenant = $1`,
      [test.tenant.id],
    );
    expect(rows).toEqual([{ n: 2 }]);
  });
});

describe('a restoration', () => {
  it('is refused where there is anything already, in another region, and of a newer version', async () => {
    const { folder: made } = await test.written();
    const [parts, plan] = [async () => (await test.reopened(made)).parts(), await currentPlan()];
    await expect(restoreCell(test.db.cells.home, LOGIN_SECRET, plan, await parts())).rejects.toThrow(
      'is not empty',
    );
    const elsewhere = await test.target('us-test-1');
    await expect(restoreCell(elsewhere.cell, LOGIN_SECRET, plan, await parts())).rejects.toThrow(
      'is of eu-test-1',
    );
    const into = await test.target();
    for (const older of [
      { ...plan, cell: plan.cell.slice(0, -1) },
      { ...plan, tenant: plan.tenant.slice(0, -1) },
      { ...plan, cell: plan.cell.map((migration) => ({ ...migration, checksum: 'another' })) },
    ])
      await expect(restoreCell(into.cell, LOGIN_SECRET, older, await parts())).rejects.toThrow(
        'made by another version',
      );
    await requireEmpty(into.cell);
  });

  it('of an older version has the tables of that, and is migrated afterwards', async () => {
    const plan = await currentPlan();
    const old = await test.target();
    const newest = plan.tenant.at(-1);
    const parts = async function* (): AsyncGenerator<BackupPart> {
      yield { kind: 'cell', region: 'eu-test-1', cell: plan.cell, tenant: plan.tenant.slice(0, -1) };
      yield { kind: 'tenant', schema: 't_00000000000000aa', version: plan.tenant.at(-2)?.version ?? 0 };
      yield* [];
      await Promise.resolve();
    };
    await restoreCell(old.cell, LOGIN_SECRET, plan, parts());
    const version = async (): Promise<unknown> =>
      (await old.superuser.query('SELECT version::int8::text FROM migrations.schemas')).rows[0];
    expect(await version()).toEqual({ version: String(plan.tenant.at(-2)?.version) });
    await old.provisioning.migrate({ cell: old.cell.name });
    expect(await version()).toEqual({ version: String(newest?.version) });
    await old.provisioning.dropTenant(old.cell.tenant('t_00000000000000aa' as TenantRef['id']));
  });

  it('that ends before its end serves nobody, and is not gone on with', async () => {
    const { folder: made } = await test.written();
    const into = await test.target();
    const parts = async function* (): AsyncGenerator<BackupPart> {
      for await (const part of (await test.reopened(made)).parts()) {
        if (part.kind === 'tenant' && part.schema === test.neighbour.id) throw new Error('the disk is gone');
        yield part;
      }
    };
    await expect(restoreCell(into.cell, LOGIN_SECRET, await currentPlan(), parts())).rejects.toThrow(
      'the disk is gone',
    );
    for (const login of ['app', 'control', 'audit'] as const)
      await expect(connectAs(into.url, login)).rejects.toThrow('permission denied for database');
    await expect(requireEmpty(into.cell)).rejects.toThrow('is not empty');
  });
});
