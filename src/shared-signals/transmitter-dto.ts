import type { AuthConfig } from '../platform/config/index.js';
import type { TransmitterRow } from './transmitter-row.js';
import type { TransmitterDto } from './transmitters.dto.js';

const DELIVERY_PATH = '/v1/shared-signals/events';

/** A transmitter as administrators read it, without its secrets. */
export function transmitterDto(row: TransmitterRow, { issuer }: AuthConfig): TransmitterDto {
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    issuer: row.issuer,
    audience: row.audience,
    jwksUri: row.jwks_uri,
    emailSubjects: row.email_subjects,
    highestRole: row.highest_role,
    deliveryUrl: `${issuer.replace(/\/$/, '')}${DELIVERY_PATH}`,
    tokenPrefix: row.token_prefix,
    ...(row.former_token_until && { formerTokenUntil: row.former_token_until.toISOString() }),
    ...(row.last_used_at && { lastUsedAt: row.last_used_at.toISOString() }),
    ...(row.verified_at && {
      verification: { state: row.verified_state ?? '', at: row.verified_at.toISOString() },
    }),
    ...(row.stream_status &&
      row.stream_status_at && {
        stream: { status: row.stream_status, at: row.stream_status_at.toISOString() },
      }),
    version: row.version,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
