import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { refuseAbove, secretHash } from '../auth/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { newDirectoryToken, visiblePrefix } from '../platform/http/credential.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { Directories } from './directories.js';
import type {
  CreatedDirectoryTokenDto,
  CreateTokenDto,
  DirectoryTokenDto,
  DirectoryTokenListDto,
} from './directories.dto.js';
import { TooManyTokens } from './directories.errors.js';

const DAYS = 365;
/** That work: one is put in the place of another without a moment in which none does. */
const MOST = 10;
const LISTED = 200;

interface TokenRow extends Record<string, unknown> {
  readonly id: string;
  readonly prefix: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
}

const COLUMNS = 'id, prefix, created_by, created_at, expires_at, revoked_at, last_used_at';

/** The tokens by which a directory is known. */
@Injectable()
export class DirectoryTokens {
  constructor(
    private readonly database: TenantDatabase,
    private readonly directories: Directories,
    private readonly work: UnitOfWork,
  ) {}

  create(
    actor: Actor,
    directoryId: string,
    { days = DAYS }: CreateTokenDto,
  ): Promise<CreatedDirectoryTokenDto> {
    return this.work.run(async () => {
      const directory = await this.directories.find(directoryId);
      auditDetails({ resource: resource(directoryId) });
      // Whoever has a token can do what the directory can, and that was bounded by whoever has set it.
      refuseAbove(actor, directory.highest_role);
      const [counted] = await this.database.query<{ count: number }>({
        text: `SELECT count(*)::int AS count FROM scim_tokens
          WHERE directory_id = $1 AND revoked_at IS NULL AND expires_at > now()`,
        values: [directoryId],
      });
      if ((counted?.count ?? 0) >= MOST) throw new TooManyTokens(MOST);
      const token = newDirectoryToken(currentTenant().id);
      const [row] = await this.database.query<TokenRow>({
        text: `INSERT INTO scim_tokens (id, directory_id, prefix, secret_hash, created_by, expires_at)
          VALUES ($1, $2, $3, $4, $5, now() + make_interval(days => $6)) RETURNING ${COLUMNS}`,
        values: [uuidv7(), directoryId, visiblePrefix(token), secretHash(token), actor.id, days],
      });
      if (!row) throw new Error('The token was not inserted.');
      auditDetails({ resource: resource(directoryId), changes: { token: row.id, days } });
      return { ...tokenDto(row), token };
    });
  }

  async list(directoryId: string): Promise<DirectoryTokenListDto> {
    await this.directories.find(directoryId);
    auditDetails({ resource: resource(directoryId) });
    const rows = await this.database.query<TokenRow>({
      text: `SELECT ${COLUMNS} FROM scim_tokens WHERE directory_id = $1 ORDER BY id DESC LIMIT ${LISTED}`,
      values: [directoryId],
    });
    return { items: rows.map(tokenDto) };
  }

  /** Revoking twice is no error: it is dead either way. */
  async revoke(directoryId: string, id: string): Promise<void> {
    await this.work.run(async () => {
      const rows = await this.database.query({
        text: `UPDATE scim_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 AND directory_id = $2 RETURNING id`,
        values: [id, directoryId],
      });
      if (rows.length === 0) throw new ResourceNotFound('token');
      await this.database.query(announce({ kind: 'directory', tenant: currentTenant().id, id }));
      auditDetails({ resource: resource(directoryId), changes: { token: id } });
    });
  }
}

function tokenDto(row: TokenRow): DirectoryTokenDto {
  return {
    id: row.id,
    prefix: row.prefix,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    ...(row.last_used_at && { lastUsedAt: row.last_used_at.toISOString() }),
    ...(row.revoked_at && { revokedAt: row.revoked_at.toISOString() }),
  };
}

function resource(id: string): { type: string; id: string } {
  return { type: 'scim_directory', id };
}
