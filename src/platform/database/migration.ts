import { createHash } from 'node:crypto';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A TypeORM migration turned into the statements it consists of, once for all schemas. */
export interface CompiledMigration {
  /** From the class name's trailing digits, as TypeORM has it; the order of application. */
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
  /** SHA-256 of the statements: an applied migration that was edited afterwards is refused. */
  readonly checksum: string;
  /** The migration, released before, whose old shape this one takes away. */
  readonly contracts?: string;
  /** Tables on which it knowingly holds a lock for long, each with the reason that this is acceptable. */
  readonly locksKnowingly: Readonly<Record<string, string>>;
}

export interface MigrationClass {
  new (): MigrationInterface;
  readonly contracts?: string;
  readonly locksKnowingly?: Readonly<Record<string, string>>;
}

export interface MigrationPlan {
  readonly cell: readonly CompiledMigration[];
  readonly tenant: readonly CompiledMigration[];
}

/** Stands in a tenant migration for the tenant's role. */
const TENANT = /\{tenant\}/g;

export async function compileMigrations(classes: readonly MigrationClass[]): Promise<CompiledMigration[]> {
  const compiled: CompiledMigration[] = [];
  for (const migration of classes) {
    const version = Number(/\d+$/.exec(migration.name)?.[0] ?? Number.NaN);
    if (!Number.isSafeInteger(version))
      throw new Error(`Migration ${migration.name} must end in its timestamp.`);
    const twin = compiled.find((other) => other.version === version);
    if (twin) throw new Error(`Migrations ${twin.name} and ${migration.name} have the same timestamp.`);
    const statements: string[] = [];
    const recorder = {
      query: (statement: string): Promise<void> => {
        statements.push(statement.trim());
        return Promise.resolve();
      },
    };
    // A migration may only say SQL: whatever else it asks of the query runner is missing here and fails.
    await new migration().up(recorder as unknown as QueryRunner);
    const checksum = createHash('sha256').update(statements.join('\0')).digest('hex');
    const { name, contracts, locksKnowingly = {} } = migration;
    compiled.push({
      version,
      name,
      statements,
      checksum,
      locksKnowingly,
      ...(contracts !== undefined && { contracts }),
    });
  }
  return compiled.sort((a, b) => a.version - b.version);
}

/** The newest version among migrations; 0 where there are none. */
export function latestOf(migrations: readonly CompiledMigration[]): number {
  return migrations.at(-1)?.version ?? 0;
}

/** The statements of a tenant migration for one tenant. */
export function forTenant(statements: readonly string[], tenant: string): string[] {
  return statements.map((statement) => statement.replace(TENANT, `"${tenant}"`));
}
