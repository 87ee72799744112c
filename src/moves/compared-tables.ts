import { MoveKeys } from '../encryption/index.js';
import type { TenantId } from '../platform/database/index.js';
import { tablesOf, type MoveSessions, type TenantTable } from '../platform/database/moving/index.js';

/** The tables that are the same in every cell: all but the keys, which are wrapped by each cell's own KMS. */
export async function comparedTables({ source }: MoveSessions, tenant: TenantId): Promise<TenantTable[]> {
  return (await tablesOf(source, tenant)).filter(({ name }) => name !== MoveKeys.TABLE);
}
