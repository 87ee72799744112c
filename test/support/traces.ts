import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asSuperuser, REGIONS } from './embedded-database.js';

const UNDEFINED_TABLE = '42P01';

/** Where an id is found, and how often: `us-east-1 control.tenants` and the like. */
export type Traces = Readonly<Record<string, number>>;

/**
 * Everything in which a tenant's id is found: every row of every table of every database as text, schemas, roles, and
 * every file of the data folder outside PostgreSQL by its path or content.
 */
export async function tracesOf(home: string, tenant: string): Promise<Traces> {
  const found: Record<string, number> = {};
  for (const region of REGIONS) {
    await asSuperuser(home, region, async (database) => {
      const tables = await database.query<{ name: string }>(
        `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
      );
      for (const { name } of tables.rows) {
        const text = `SELECT count(*) AS n FROM ${name} t WHERE position($1 in t::text) > 0`;
        const { rows } = await database.query<{ n: string }>(text, [tenant]).catch((error: unknown) => {
          // Of another organisation, which was purged since the tables were listed.
          if ((error as { code?: unknown }).code !== UNDEFINED_TABLE || name.includes(tenant)) throw error;
          return { rows: [] };
        });
        if (Number(rows[0]?.n) > 0) found[`${region} ${name}`] = Number(rows[0]?.n);
      }
      for (const [what, text] of [
        ['schema', 'SELECT 1 FROM pg_namespace WHERE nspname = $1'],
        ['role', 'SELECT 1 FROM pg_roles WHERE rolname = $1'],
      ] as const) {
        const { rowCount } = await database.query(text, [tenant]);
        if (rowCount) found[`${region} ${what}`] = rowCount;
      }
    });
  }
  for (const file of await filesWith(home, tenant)) found[file] = 1;
  return found;
}

/** The files of the data folder, outside PostgreSQL, that have this in their path or content; `among` looks at some alone. */
export async function filesWith(
  home: string,
  text: string,
  among: (path: string) => boolean = () => true,
): Promise<string[]> {
  const found: string[] = [];
  for (const file of (await filesBelow(home)).filter(among)) {
    const content = await readFile(join(home, file), 'latin1').catch(() => '');
    if (file.includes(text) || content.includes(text)) found.push(file);
  }
  return found;
}

async function filesBelow(home: string): Promise<string[]> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true });
  return entries
    .map((entry) => join(entry.parentPath, entry.name).slice(home.length + 1))
    .filter((path) => !/^postgres(\/|$|\.log)/.test(path));
}
