/** A migration as it was applied: of what a cell's tenants share, or of tenants. */
export interface AppliedMigration {
  readonly version: number;
  readonly checksum: string;
}

/** Begins a backup: whose it is, and which migrations its tables are of. */
export interface CellPart {
  readonly kind: 'cell';
  readonly region: string;
  readonly cell: readonly AppliedMigration[];
  readonly tenant: readonly AppliedMigration[];
}

/** A tenant, whose tables follow. */
export interface TenantPart {
  readonly kind: 'tenant';
  readonly schema: string;
  readonly version: number;
}

export interface TablePart {
  readonly kind: 'table';
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
}

/** Some bytes of a table's rows, in PostgreSQL's binary COPY format. */
export interface RowsPart {
  readonly kind: 'rows';
  readonly bytes: Buffer;
}

/** Ends a table. */
export interface EndPart {
  readonly kind: 'end';
  readonly rows: number;
}

export interface SequencePart {
  readonly kind: 'sequence';
  readonly schema: string;
  readonly name: string;
  readonly last: string;
}

/**
 * What a backup of a cell consists of, in this order: the cell; the tables that all tenants share; then each tenant with
 * its tables. A table is its name, its rows in any number of pieces, and its end; sequences come after a schema's tables.
 */
export type BackupPart = CellPart | TenantPart | TablePart | RowsPart | EndPart | SequencePart;

/** Schemas of what tenants share. The queue's is no part of a backup: it holds ids of what `work` says is to be done. */
export const SHARED_SCHEMAS = ['control', 'audit', 'work'] as const;

/** Comes before the events: it says which tables they are in. */
export const PERIODS = { schema: 'audit', name: 'periods' } as const;

/**
 * Tables whose rows stay out of a backup: what lets somebody in for a short time, and may have been revoked by the time
 * that the backup is restored.
 */
export const PASSING: Readonly<Record<string, readonly string[]>> = {
  tenant: [
    'federated_sessions',
    'impersonations',
    'password_resets',
    'refresh_tokens',
    'second_factor_challenges',
    'sessions',
    'sso_attempts',
    'trusted_devices',
  ],
  work: ['password_resets'],
};

export function isPassing(schema: string, table: string): boolean {
  const shared = (SHARED_SCHEMAS as readonly string[]).includes(schema);
  return PASSING[shared ? schema : 'tenant']?.includes(table) ?? false;
}
