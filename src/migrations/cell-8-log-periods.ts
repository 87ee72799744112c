import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The events of all logs, in a table for each period of time, so that what is old goes table by table. A period is a
 * number and not a time: the one that has begun last takes what is appended, whatever clocks say, and there is always one.
 *
 * Keys are of the single tables: a number of a log is once in a table, and which tables a log goes through is said by its
 * head, whose lock orders all who append.
 */
export class CellLogPeriods20261121000710 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.periods (
        period integer PRIMARY KEY,
        begun_at timestamptz,
        dropped_at timestamptz
      )`);
    await db.query(`INSERT INTO audit.periods (period, begun_at) VALUES (1, now()), (2, NULL), (3, NULL)`);
    await db.query(`GRANT SELECT ON audit.periods TO waxell_audit`);
    await db.query(`
      CREATE FUNCTION audit.current_period() RETURNS integer
      LANGUAGE sql STABLE
      RETURN (SELECT max(period) FROM audit.periods WHERE begun_at IS NOT NULL)`);
    await db.query(`REVOKE EXECUTE ON FUNCTION audit.current_period() FROM PUBLIC`);
    await db.query(`GRANT EXECUTE ON FUNCTION audit.current_period() TO waxell_audit`);
    await this.firstPeriod(db);
    for (const period of [2, 3]) {
      await db.query(
        `CREATE TABLE audit.events_${period} (LIKE audit.events INCLUDING DEFAULTS INCLUDING INDEXES, PRIMARY KEY (tenant, seq))`,
      );
      await db.query(
        `ALTER TABLE audit.events ATTACH PARTITION audit.events_${period} FOR VALUES IN (${period})`,
      );
    }
  }

  /** What there is stays where it is, and becomes the first period. It is read once, to see that it belongs there. */
  private async firstPeriod(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE audit.events ADD COLUMN period integer NOT NULL DEFAULT 1`);
    await db.query(`ALTER TABLE audit.events RENAME TO events_1`);
    await db.query(`CREATE TABLE audit.events (LIKE audit.events_1) PARTITION BY LIST (period)`);
    await db.query(`ALTER TABLE audit.events ALTER COLUMN period SET DEFAULT audit.current_period()`);
    await db.query(`CREATE INDEX ON audit.events (tenant, action, seq)`);
    await db.query(`CREATE INDEX ON audit.events (tenant, actor, seq)`);
    await db.query(`ALTER TABLE audit.events ATTACH PARTITION audit.events_1 FOR VALUES IN (1)`);
    // Whoever appends does so through the whole: it says in which period.
    await db.query(`REVOKE ALL ON audit.events_1 FROM waxell_audit`);
    await db.query(`GRANT SELECT, INSERT ON audit.events TO waxell_audit`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
