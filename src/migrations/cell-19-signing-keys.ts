import type { MigrationInterface, QueryRunner } from 'typeorm';

/** From when a key signs access tokens, which is after it was published; and keys that are not believed any more. */
export class CellSigningKeys20261122007400 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE control.signing_keys
        ADD COLUMN signs_from timestamptz NOT NULL DEFAULT now(),
        ADD COLUMN revoked_at timestamptz`);
    await db.query(`GRANT UPDATE (revoked_at) ON control.signing_keys TO waxell_control`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
