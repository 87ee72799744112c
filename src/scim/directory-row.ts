import type { Role } from '../auth/index.js';

export const DIRECTORY_KINDS = ['okta', 'entra', 'generic'] as const;
export type DirectoryKind = (typeof DIRECTORY_KINDS)[number];

/** Which attribute says what an account has; what is left out is as `profileOf` has it. */
export interface Mapping {
  readonly email?: string;
  readonly displayName?: string;
  readonly phone?: string;
}

/** An identity provider that provides people, as an organisation has set it. */
export interface DirectoryRow extends Record<string, unknown> {
  readonly id: string;
  readonly name: string;
  readonly kind: DirectoryKind;
  readonly state: 'active' | 'disabled';
  readonly default_role: Exclude<Role, 'Owner'>;
  /** Of whoever set it last: it takes over nobody who holds more. */
  readonly highest_role: Role;
  /** What becomes of somebody who is here already. */
  readonly conflicts: 'adopt' | 'refuse';
  readonly mapping: Mapping;
  /** The client of OAuth whose access tokens are the directory's. */
  readonly oauth_client_id: string | null;
  readonly version: number;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export const DIRECTORY_COLUMNS =
  'id, name, kind, state, default_role, highest_role, conflicts, mapping, oauth_client_id, version, created_by, created_at, updated_at';
