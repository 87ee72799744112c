import { once } from 'node:events';
import pg from 'pg';
import { from, type CopyStreamQuery } from 'pg-copy-streams';
import type { Cell } from '../cells.js';
import { restorePeriods } from '../log-periods.js';
import { loginRole, LOGINS } from '../logins.js';
import type { CompiledMigration, MigrationPlan } from '../migration.js';
import { Migrator } from '../migrator.js';
import { storedTables } from '../moving/tenant-tables.js';
import { OwnerConnections } from '../owner-connections.js';
import { tenantId } from '../tenant-id.js';
import { TenantSchemas } from '../tenant-schemas.js';
import {
  PERIODS,
  SHARED_SCHEMAS,
  type AppliedMigration,
  type BackupPart,
  type CellPart,
  type SequencePart,
  type TablePart,
} from './backup-part.js';
import { withBackupSession } from './backup-session.js';

const { escapeIdentifier } = pg;

/** The backup, or the database that it should go to, is not one for the other. The message says why. */
export class RestoreRefused extends Error {
  override readonly name = 'RestoreRefused';
}

/** One restoration at a time works on a database. */
const RESTORE_LOCK = 7_283_022;

/** Refuses a database in which there is anything of an installation. @throws {RestoreRefused} */
export function requireEmpty(cell: Cell): Promise<void> {
  return withBackupSession(cell, (client) => refuseContents(cell, client));
}

async function refuseContents(cell: Cell, client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace
     WHERE nspname IN ('control', 'audit', 'work', 'migrations', 'queue') OR nspname ~ '^t_[0-9a-f]{16}$' LIMIT 1`,
  );
  const [first] = rows;
  if (first)
    throw new RestoreRefused(
      `The database of ${cell.name} is not empty: it has a schema ${first.name}. Restore into a new one.`,
    );
}

/**
 * Builds a cell's database anew from a backup: at the migrations that it was made of, table by table. Until all of it is
 * there no login of the running system may connect: a database that is restored in part serves nobody.
 *
 * @throws {RestoreRefused} where this program does not know the backup's migrations, or the tables are not theirs
 */
export async function restoreCell(
  cell: Cell,
  loginSecret: string,
  plan: MigrationPlan,
  parts: AsyncIterable<BackupPart>,
): Promise<void> {
  const owner = new OwnerConnections(cell.ownerUrl, 2);
  try {
    await withBackupSession(cell, async (client) => {
      const lock = await client.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1) AS mine', [
        RESTORE_LOCK,
      ]);
      if (lock.rows[0]?.mine !== true) throw new RestoreRefused(`${cell.name} is being restored already.`);
      await refuseContents(cell, client);
      const restoring = new Restoring(client, owner, cell, loginSecret, plan);
      for await (const part of parts) await restoring.take(part);
      await restoring.finish();
    });
  } finally {
    await owner.close();
  }
}

class Restoring {
  #known: MigrationPlan | undefined;
  #table: { readonly part: TablePart; readonly sink: CopyStreamQuery } | undefined;
  #inTransaction = false;

  constructor(
    private readonly client: pg.Client,
    private readonly owner: OwnerConnections,
    private readonly cell: Cell,
    private readonly loginSecret: string,
    private readonly plan: MigrationPlan,
  ) {}

  async take(part: BackupPart): Promise<void> {
    if (part.kind === 'cell') return this.#begin(part);
    const known = this.#known;
    if (!known) throw new RestoreRefused('The backup does not begin with its cell.');
    switch (part.kind) {
      case 'tenant': {
        await this.#commit();
        const migrations = known.tenant.filter(({ version }) => version <= part.version);
        if ((migrations.at(-1)?.version ?? 0) !== part.version)
          throw new RestoreRefused(`This program has no migration ${part.version} of tenants.`);
        return new TenantSchemas(this.owner, migrations).create(tenantId(part.schema));
      }
      case 'table':
        return this.#open(part);
      case 'rows':
        return this.#write(part.bytes);
      case 'end':
        return this.#end(part.rows);
      case 'sequence':
        return this.#set(part);
    }
  }

  async finish(): Promise<void> {
    if (!this.#known || this.#table) throw new RestoreRefused('The backup ends before all of it is there.');
    await this.#commit();
    await this.#connecting('GRANT', 'TO');
  }

  async #begin({ region, cell, tenant }: CellPart): Promise<void> {
    if (region !== this.cell.region)
      throw new RestoreRefused(`The backup is of ${region}; ${this.cell.name} is in ${this.cell.region}.`);
    this.#known = { cell: known(this.plan.cell, cell), tenant: known(this.plan.tenant, tenant) };
    await new Migrator(this.owner, this.loginSecret, { ...this.#known, tenant: [] }).migrateCell();
    await this.#connecting('REVOKE', 'FROM');
  }

  async #open(part: TablePart): Promise<void> {
    if (this.#table) throw new RestoreRefused(`Table ${part.name} begins within another.`);
    const tables = await storedTables(this.client, part.schema);
    const table = tables.find(({ name }) => name === part.name);
    if (!table || table.columns.join() !== part.columns.join())
      throw new RestoreRefused(`Table ${part.schema}.${part.name} is not as the backup has it.`);
    if (!this.#inTransaction) {
      await this.client.query('BEGIN');
      // Rows are those of one moment, whose references hold; they come in the order of the tables.
      await this.client.query('SET LOCAL session_replication_role = replica');
      this.#inTransaction = true;
    }
    // What a migration has put there is among the rows.
    await this.client.query(`DELETE FROM ${table.relation}`);
    const into = `COPY ${table.relation} (${table.columns.join(', ')}) FROM STDIN (FORMAT binary)`;
    const sink = this.client.query(from(into));
    // What goes wrong is thrown where rows are written, or at the table's end.
    sink.on('error', () => undefined);
    this.#table = { part, sink };
  }

  async #write(bytes: Buffer): Promise<void> {
    const sink = this.#opened().sink;
    if (sink.errored) throw sink.errored;
    if (!sink.write(bytes)) await once(sink, 'drain');
  }

  async #end(rows: number): Promise<void> {
    const { part, sink } = this.#opened();
    const finished = once(sink, 'finish');
    sink.end();
    await finished;
    this.#table = undefined;
    if (sink.rowCount !== rows)
      throw new RestoreRefused(`${part.schema}.${part.name} has ${sink.rowCount} rows, and had ${rows}.`);
    if (isShared(part.schema)) await this.#commit();
    if (part.schema === PERIODS.schema && part.name === PERIODS.name) await restorePeriods(this.client);
  }

  async #set({ schema, name, last }: SequencePart): Promise<void> {
    const sequence = `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
    await this.client.query('SELECT setval($1::regclass, $2::bigint)', [sequence, last]);
  }

  #opened() {
    if (!this.#table) throw new RestoreRefused('The backup has rows that are of no table.');
    return this.#table;
  }

  async #commit(): Promise<void> {
    if (this.#inTransaction) await this.client.query('COMMIT');
    this.#inTransaction = false;
  }

  /** The logins' right to connect to this database. */
  async #connecting(verb: 'GRANT' | 'REVOKE', preposition: 'TO' | 'FROM'): Promise<void> {
    const { rows } = await this.client.query<{ name: string }>('SELECT current_database() AS name');
    const database = escapeIdentifier(rows[0]?.name ?? '');
    const logins = LOGINS.map((login) => escapeIdentifier(loginRole(login))).join(', ');
    await this.client.query(`${verb} CONNECT ON DATABASE ${database} ${preposition} ${logins}`);
  }
}

/** Those of the program's migrations that the backup's tables are of. */
function known(
  ours: readonly CompiledMigration[],
  applied: readonly AppliedMigration[],
): CompiledMigration[] {
  return applied.map(({ version, checksum }) => {
    const migration = ours.find((candidate) => candidate.version === version);
    if (migration?.checksum !== checksum)
      throw new RestoreRefused(
        `The backup was made by another version of the program: its migration ${version} is ${migration ? 'another here' : 'unknown here'}.`,
      );
    return migration;
  });
}

function isShared(schema: string): boolean {
  return (SHARED_SCHEMAS as readonly string[]).includes(schema);
}
