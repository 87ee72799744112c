import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalKms } from '@waxell/infra';
import pg from 'pg';
import { AuditLog } from '../../src/audit/index.js';
import { ReadableBackup, writeBackup, type BackupFolder, type BackupKey } from '../../src/backups/index.js';
import { CELL_MIGRATIONS, TENANT_MIGRATIONS } from '../../src/migrations/index.js';
import {
  Cell,
  Cells,
  compileMigrations,
  PLATFORM_TENANT,
  Provisioning,
  restoreCell,
  type MigrationPlan,
  type TenantRef,
} from '../../src/platform/database/index.js';
import { startFakeKms } from '../fakes/kms.js';
import { appendEvents } from './cold-logs.js';
import { clientOf, startKeyProcess } from './key-process.js';
import { addUser, newKeyTenant } from './key-tenants.js';
import { createDatabase, LOGIN_SECRET, openTestDatabase } from './test-database.js';

/** A database with nothing in it, under the name of the cell that test databases have. */
export interface EmptyDatabase {
  readonly url: string;
  readonly cell: Cell;
  readonly cells: Cells;
  readonly provisioning: Provisioning;
  readonly superuser: pg.Pool;
  close(): Promise<void>;
}

export async function emptyDatabase(region = 'eu-test-1'): Promise<EmptyDatabase> {
  const url = await createDatabase();
  const config = { name: 'eu-test-1-c1', region, capacity: 10, ownerUrl: url };
  const pools = { tenant: 2, lane: 1, control: 2, audit: 2 };
  const cell = new Cell(config, LOGIN_SECRET, pools, [], () => undefined);
  const cells = new Cells([cell]);
  const provisioning = new Provisioning(cells, LOGIN_SECRET, {
    cell: CELL_MIGRATIONS,
    tenant: TENANT_MIGRATIONS,
  });
  const superuser = new pg.Pool({ connectionString: url, max: 2 });
  superuser.on('error', () => undefined);
  return {
    url,
    cell,
    cells,
    provisioning,
    superuser,
    close: async () => {
      await provisioning.close();
      await cells.close();
      await superuser.end();
    },
  };
}

export async function currentPlan(): Promise<MigrationPlan> {
  return {
    cell: await compileMigrations(CELL_MIGRATIONS),
    tenant: await compileMigrations(TENANT_MIGRATIONS),
  };
}

/** A key of backups in a folder of its own. */
export async function newBackupKey(): Promise<BackupKey & { close(): Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'waxell-backup-key-'));
  const kms = await LocalKms.open({ home });
  return {
    kms,
    keyId: await kms.createTenantKey('backups'),
    close: () => rm(home, { recursive: true, force: true }),
  };
}

/** What each table of a database holds, but those of one's own choosing: a digest of all its rows. */
export async function contentsOf(database: pg.Pool, but: readonly string[]): Promise<Record<string, string>> {
  const { rows } = await database.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND (n.nspname IN ('control', 'audit', 'work') OR n.nspname LIKE 't\\_%') ORDER BY 1`,
  );
  const contents: Record<string, string> = {};
  for (const { name } of rows) {
    if (but.some((ending) => name.endsWith(`.${ending}`))) continue;
    const found = await database.query<{ digest: string }>(
      `SELECT count(*) || ':' || COALESCE(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') AS digest FROM ${name} t`,
    );
    contents[name] = found.rows[0]?.digest ?? '';
  }
  return contents;
}

/** A database with two organisations and their logs, and a folder for its backups. */
export type Backups = Awaited<ReturnType<typeof openBackups>>;

/** More than a chunk holds, of both organisations together. */
const PROJECTS = 3_000;
export const EVENTS = 40;

export async function openBackups() {
  const db = await openTestDatabase();
  const fake = await startFakeKms();
  const keys = await startKeyProcess(db.url, clientOf(fake));
  const log = new AuditLog(db.cells);
  const key = await newBackupKey();
  const folder = await mkdtemp(join(tmpdir(), 'waxell-backups-'));
  const opened: EmptyDatabase[] = [];
  const addProjects = async ({ id }: TenantRef, rows: number): Promise<void> => {
    await db.superuser.query(
      `INSERT INTO "${id}".projects (id, name, created_by)
       SELECT gen_random_uuid(), repeat(md5(n::text), 12), 'test' FROM generate_series(1, $1) n`,
      [rows],
    );
  };
  // Roles are the server's: another file may be making this one for its database at the same moment.
  await db.newTenant(PLATFORM_TENANT).catch(() => db.newTenant(PLATFORM_TENANT));
  const [tenant, neighbour] = [await newKeyTenant(db, keys), await newKeyTenant(db, keys)];
  for (const one of [tenant, neighbour]) {
    await addUser(keys, one, `somebody@${one.id}.example`);
    await addProjects(one, PROJECTS);
    await appendEvents(log, one, EVENTS);
  }
  await db.superuser.query(
    `INSERT INTO "${tenant.id}".sessions (id, user_id, token_hash, fingerprint, expires_at)
     SELECT gen_random_uuid(), id, '\\x00', '\\x00', now() + interval '1 hour' FROM "${tenant.id}".users`,
  );
  const target = async (region?: string): Promise<EmptyDatabase> => {
    const made = await emptyDatabase(region);
    opened.push(made);
    return made;
  };
  const reopened = (from: BackupFolder) => ReadableBackup.open(from, key.kms);
  return {
    db,
    fake,
    log,
    key,
    folder,
    tenant,
    neighbour,
    addProjects,
    target,
    reopened,
    written: () => writeBackup(db.cells.home, folder, key, () => Promise.resolve()),
    restored: async (from: BackupFolder): Promise<EmptyDatabase> => {
      const into = await target();
      await restoreCell(into.cell, LOGIN_SECRET, await currentPlan(), (await reopened(from)).parts());
      return into;
    },
    projectsIn: async (
      { superuser }: Pick<EmptyDatabase, 'superuser'>,
      { id }: TenantRef,
    ): Promise<number> => {
      const { rows } = await superuser.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM "${id}".projects`,
      );
      return rows[0]?.n ?? 0;
    },
    close: async (): Promise<void> => {
      for (const one of opened) await one.close();
      await log.onApplicationShutdown();
      await keys.close();
      await fake.close();
      await db.close();
      await key.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
