import type { MigrationInterface, QueryRunner } from 'typeorm';
import type { MigrationClass } from '../../src/platform/database/index.js';

/** A migration of these statements, under a class name as they have it. */
export function migration(
  name: string,
  statements: readonly string[],
  declared: Pick<MigrationClass, 'contracts' | 'locksKnowingly'> = {},
): MigrationClass {
  class Made implements MigrationInterface {
    async up(db: QueryRunner): Promise<void> {
      for (const statement of statements) await db.query(statement);
    }
    down(): Promise<void> {
      throw new Error('Migrations go forward only.');
    }
  }
  return Object.defineProperty(Object.assign(Made, declared), 'name', { value: name });
}
