import type { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';

/** A domain that somebody in the organisation has named. Whether it is verified says the registry. */
export interface DomainRow {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  readonly sso_required: boolean;
  readonly version: number;
  readonly created_by: string;
  readonly created_at: Date;
}

export const COLUMNS = 'id, name, token, sso_required, version, created_by, created_at';

/** The row, locked until the end of the running transaction where it is going to be changed. @throws {ResourceNotFound} */
export async function findDomain(
  database: TenantDatabase,
  id: string,
  lock: '' | 'FOR UPDATE' = '',
): Promise<DomainRow> {
  const text = `SELECT ${COLUMNS} FROM domains WHERE id = $1 ${lock}`;
  const [row] = await database.query<DomainRow & Record<string, unknown>>({ text, values: [id] });
  if (!row) throw new ResourceNotFound('domain');
  return row;
}
