import type { Role } from '../auth/index.js';

export const STREAM_STATUSES = ['enabled', 'paused', 'disabled'] as const;
export type StreamStatus = (typeof STREAM_STATUSES)[number];

/** Who tells of security events, as an organisation has set it. */
export interface TransmitterRow extends Record<string, unknown> {
  readonly id: string;
  readonly name: string;
  readonly state: 'active' | 'disabled';
  readonly issuer: string;
  readonly audience: string;
  readonly jwks_uri: string;
  /** Whether it may name people by their e-mail address. */
  readonly email_subjects: boolean;
  /** Of whoever set it last: it ends nothing of somebody who holds more. */
  readonly highest_role: Role;
  readonly token_prefix: string;
  readonly former_token_until: Date | null;
  readonly last_used_at: Date | null;
  /** What the last verification event said, so that an administrator sees that the stream works. */
  readonly verified_state: string | null;
  readonly verified_at: Date | null;
  readonly stream_status: StreamStatus | null;
  readonly stream_status_at: Date | null;
  readonly version: number;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export const TRANSMITTER_COLUMNS = `id, name, state, issuer, audience, jwks_uri, email_subjects, highest_role, token_prefix,
  former_token_until, last_used_at, verified_state, verified_at, stream_status, stream_status_at, version, created_by, created_at, updated_at`;
