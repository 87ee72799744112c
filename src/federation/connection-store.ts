import { Injectable } from '@nestjs/common';
import { Sessions } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { UnitOfWork } from '../requests/index.js';
import { ConnectionEntity } from './connection.entity.js';

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LONGEST_ERROR = 500;
/** An error that stays until what it tells of works again, whoever signs in meanwhile. */
const METADATA = 'SAML_METADATA';
const OF_METADATA = `${METADATA}: `;

/** Connections as sign-ins see them. */
@Injectable()
export class ConnectionStore {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly sessions: Sessions,
  ) {}

  /** @throws {ResourceNotFound} */
  async find(id: string): Promise<ConnectionEntity> {
    const key = id.toLowerCase();
    const found = ID.test(key)
      ? await this.database.repository(ConnectionEntity).findOneBy({ id: key })
      : undefined;
    if (!found) throw new ResourceNotFound('connection');
    return found;
  }

  /** One through which people sign in at this moment; others are as good as none. @throws {ResourceNotFound} */
  async active(id: string): Promise<ConnectionEntity> {
    const found = await this.find(id);
    if (found.state !== 'active') throw new ResourceNotFound('connection');
    return found;
  }

  /** Through which a session was opened; undefined for one of a password. */
  async ofSession(sessionId: string): Promise<string | undefined> {
    const [row] = await this.database.query<{ connection_id: string }>({
      text: 'SELECT connection_id FROM federated_sessions WHERE id = $1',
      values: [sessionId],
    });
    return row?.connection_id;
  }

  /** Where people of a domain are sent: to the oldest that names it, else to the oldest that names none. */
  async activeFor(domain: string): Promise<{ readonly id: string } | undefined> {
    const [row] = await this.database.query<{ id: string }>({
      text: `SELECT id FROM sso_connections WHERE state = 'active' AND (domains = '{}' OR $1 = ANY (domains))
        ORDER BY domains = '{}', id LIMIT 1`,
      values: [domain],
    });
    return row;
  }

  countActive(): Promise<number> {
    return this.database.repository(ConnectionEntity).countBy({ state: 'active' });
  }

  /** What the last sign-in met, for who administers the connection: unless it is what unreadable metadata has led to. */
  async remember(id: string, code: string, words: string): Promise<void> {
    await this.work.bookkeeping('the sign-in itself is the event', () =>
      this.database.query({
        text: `UPDATE sso_connections SET last_error = $2, last_error_at = now()
          WHERE id = $1 AND (last_error IS DISTINCT FROM $2 OR last_error_at < now() - interval '1 minute')
            AND NOT ($3 = 'SAML_SIGNATURE_INVALID' AND starts_with(coalesce(last_error, ''), $4))`,
        values: [id, `${code}: ${words}`.slice(0, LONGEST_ERROR), code, OF_METADATA],
      }),
    );
  }

  /** A sign-in has succeeded. That it did says nothing of metadata. */
  async succeeded({ id, lastError }: ConnectionEntity): Promise<void> {
    if (lastError !== null && !lastError.startsWith(OF_METADATA)) await this.#forget(id, false);
  }

  /** @param why what an administrator may know of it */
  async rememberMetadataError(id: string, why: string | undefined): Promise<void> {
    await this.remember(id, METADATA, `The metadata could not be read again. ${why ?? 'Try its address.'}`);
  }

  /** It was read again. */
  forgetMetadataError(id: string): Promise<void> {
    return this.#forget(id, true);
  }

  async #forget(id: string, ofMetadata: boolean): Promise<void> {
    await this.work.bookkeeping('what has happened has its event', () =>
      this.database.query({
        text: `UPDATE sso_connections SET last_error = NULL, last_error_at = NULL
          WHERE id = $1 AND starts_with(last_error, $2) = $3`,
        values: [id, OF_METADATA, ofMetadata],
      }),
    );
  }

  /** Ends every session that came of a connection, in the running unit of work. */
  async endSessions(id: string): Promise<number> {
    const rows = await this.database.query<{ id: string }>({
      text: `SELECT s.id FROM federated_sessions f JOIN sessions s ON s.id = f.id
        WHERE f.connection_id = $1 AND s.revoked_at IS NULL`,
      values: [id],
    });
    await this.sessions.endIn(rows.map((row) => row.id));
    return rows.length;
  }
}
