import { asSuperuser, type Region } from './embedded-database.js';

/**
 * Where a region's database mentions a tenant at all: schemas of its own, and tables of any schema, the queue's and the
 * registry's included, with a row that holds its id.
 */
export async function mentionsOf(home: string, region: Region, tenant: string): Promise<string[]> {
  return asSuperuser(home, region, async (database) => {
    const { rows: tables } = await database.query<{ schema: string; name: string }>(
      `SELECT schemaname AS schema, format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 2`,
    );
    const found: string[] = [];
    for (const { schema, name } of tables) {
      if (schema === tenant) found.push(name);
      // The installation's own log tells what the operator did; it is no tenant's.
      const own = name === 'audit.events' ? `AND t.tenant <> 't_0000000000000000'` : '';
      const { rowCount } = await database.query(
        `SELECT 1 FROM ${name} t WHERE t::text LIKE '%' || $1 || '%' ${own} LIMIT 1`,
        [tenant],
      );
      if (rowCount !== 0) found.push(name);
    }
    return [...new Set(found)];
  });
}
