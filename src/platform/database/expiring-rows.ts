import type { Statement } from './tenant-database.js';

/** Rows that are taken away at one visit of a tenant; the next takes the rest. */
const AT_ONCE = 1_000;

const declared: Statement[] = [];

/**
 * Declares a table of tenants whose rows (`id`, `created_at`) are kept for so long. Whoever writes one takes old ones away as
 * well; this is for tenants in which nobody writes any. Names come from declarations in the program.
 */
export function rowsKeptFor({ table, days }: { readonly table: string; readonly days: number }): void {
  declared.push({
    text: `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table}
      WHERE created_at < now() - make_interval(days => $1) ORDER BY created_at LIMIT ${AT_ONCE})`,
    values: [days],
  });
}

/** What takes them away, for whoever visits every tenant anyway. */
export function expireRows(): readonly Statement[] {
  return declared;
}
