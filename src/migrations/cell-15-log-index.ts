import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What events are found by, derived from them after they were appended, a block of 4,096 numbers at a time: `indexed` says
 * of which blocks, `postings` which events have which values. In periods as the events, whose tables go together. The
 * indexes over the events, which every append paid for, go.
 */
export class CellLogIndex20261122006000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.indexed (
        tenant text NOT NULL,
        block integer NOT NULL,
        period integer NOT NULL,
        earliest timestamptz,
        latest timestamptz,
        PRIMARY KEY (tenant, block)
      )`);
    await db.query(`
      CREATE TABLE audit.postings (
        period integer NOT NULL,
        block integer NOT NULL,
        bucket smallint NOT NULL,
        tenant text NOT NULL,
        entries bytea NOT NULL
      ) PARTITION BY LIST (period)`);
    // Places and hashes do not get shorter by compression.
    await db.query(`ALTER TABLE audit.postings ALTER COLUMN entries SET STORAGE EXTERNAL`);
    await db.query(`
      DO $$ DECLARE p integer; BEGIN
        FOR p IN SELECT period FROM audit.periods WHERE dropped_at IS NULL LOOP
          EXECUTE format('CREATE TABLE audit.postings_%s (LIKE audit.postings INCLUDING STORAGE, PRIMARY KEY (tenant, bucket, block))', p);
          EXECUTE format('ALTER TABLE audit.postings ATTACH PARTITION audit.postings_%s FOR VALUES IN (%s)', p, p);
        END LOOP;
      END $$`);
    await db.query(`GRANT SELECT, INSERT ON audit.indexed, audit.postings TO waxell_audit`);
    await this.delivered(db);
    // Of the whole, and with them those of its periods, the first of which has kept the names without a number.
    await db.query(`DROP INDEX audit.events_tenant_action_seq_idx1`);
    await db.query(`DROP INDEX audit.events_tenant_actor_seq_idx1`);
    // Every log is looked at once more, so that those that grow no longer are indexed as well.
    await db.query(`UPDATE audit.looked_at SET seq = -1`);
  }

  /** Which notices a log has taken: each once, and there are few. It was asked of the index over actions. */
  private async delivered(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.delivered (
        tenant text NOT NULL,
        id uuid NOT NULL,
        PRIMARY KEY (tenant, id)
      )`);
    await db.query(`GRANT SELECT, INSERT ON audit.delivered TO waxell_audit`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
