import { Injectable } from '@nestjs/common';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import type { SignInRules } from '../platform/http/tenant-rules.js';
import type { SessionDto } from './sessions.dto.js';

sealedColumn({ table: 'sessions', column: 'client', key: [['id', 'uuid']] });

/** From where a session was opened, as its person is shown it. */
interface Client {
  readonly address: string;
  readonly userAgent: string;
}

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly created_at: Date;
  readonly last_used_at: Date;
  readonly method: string;
  readonly client: Buffer | null;
}

/** Rows of sessions that ended are kept for so long: whoever asks what happened finds them in the export. */
const KEPT_DAYS = 30;
const FORGOTTEN_AT_ONCE = 100;

/** The sessions of one person, of the tenant in scope. What writes runs in the caller's unit of work. */
@Injectable()
export class SessionList {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
  ) {}

  /** Those that are not over, the newest first. */
  async of(userId: string, rules: SignInRules, current: string | undefined): Promise<SessionDto[]> {
    const rows = await this.database.query<Row>({
      text: `SELECT id, created_at, last_used_at, method, client FROM sessions
        WHERE user_id = $1 AND revoked_at IS NULL AND created_at > now() - make_interval(secs => $2)
          AND ($3::integer IS NULL OR last_used_at > now() - make_interval(secs => $3))
        ORDER BY created_at DESC, id DESC LIMIT 100`,
      values: [userId, Math.max(rules.sessionSeconds, rules.refreshSeconds), rules.idleSeconds],
    });
    return Promise.all(rows.map((row) => this.#dto(row, current)));
  }

  /** What a session says of where it was opened, as it is stored: under the person's own key. */
  sealClient(id: string, userId: string, client: Client): Promise<Buffer> {
    return this.encryption.sealJson(currentTenant(), place(id), client, userId);
  }

  /** Ends one session of the person. Whether there was such a session, over or not. */
  async end(userId: string, id: string): Promise<boolean> {
    const ended = await this.database.query({
      text: `UPDATE sessions SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 AND user_id = $2 RETURNING id`,
      values: [id, userId],
    });
    if (ended.length > 0) await this.#announce(id);
    return ended.length > 0;
  }

  /** Ends all of the person's sessions but one, or all; answers how many. */
  async endAll(userId: string, except?: string): Promise<number> {
    const ended = await this.database.query<{ id: string }>({
      text: `UPDATE sessions SET revoked_at = now()
        WHERE user_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id <> $2) RETURNING id`,
      values: [userId, except ?? null],
    });
    for (const { id } of ended) await this.#announce(id);
    return ended.length;
  }

  /**
   * Before another session begins: the oldest end, so that there are as many as may be with the new one; those that are
   * over already, as nobody used them for too long, before any that is not. The person's row is locked, so that many
   * sign-ins at once do not count past each other.
   */
  async makeRoom(
    userId: string,
    { concurrentSessions, sessionSeconds, refreshSeconds, idleSeconds }: SignInRules,
  ): Promise<void> {
    const longest = Math.max(sessionSeconds, refreshSeconds);
    const ended = await this.database.query<{ id: string }>({
      text: `UPDATE sessions SET revoked_at = now() WHERE id IN (
          SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND created_at > now() - make_interval(secs => $3)
          ORDER BY coalesce(ends_at > now(), TRUE) AND ($4::integer IS NULL OR last_used_at > now() - make_interval(secs => $4)) DESC,
            created_at DESC, id DESC OFFSET $2) RETURNING id`,
      values: [userId, concurrentSessions - 1, longest, idleSeconds],
    });
    for (const { id } of ended) await this.#announce(id);
    await this.#forget(userId);
  }

  /** Takes away a few rows of sessions that were over long ago. */
  async #forget(userId: string): Promise<void> {
    const old = await this.database.query<{ id: string }>({
      text: `SELECT id FROM sessions WHERE user_id = $1 AND created_at < now() - make_interval(days => $2)
        ORDER BY created_at LIMIT ${FORGOTTEN_AT_ONCE}`,
      values: [userId, KEPT_DAYS],
    });
    if (old.length === 0) return;
    const ids = old.map(({ id }) => id);
    await this.database.query({
      text: 'DELETE FROM refresh_tokens WHERE session_id = ANY ($1)',
      values: [ids],
    });
    await this.database.query({ text: 'DELETE FROM sessions WHERE id = ANY ($1)', values: [ids] });
  }

  async #announce(id: string): Promise<void> {
    await this.database.query(announce({ kind: 'session', tenant: currentTenant().id, id }));
  }

  async #dto(row: Row, current: string | undefined): Promise<SessionDto> {
    const client = row.client
      ? ((await this.encryption.openJson(currentTenant(), place(row.id), row.client)) as Client)
      : undefined;
    return {
      id: row.id,
      createdAt: row.created_at.toISOString(),
      lastUsedAt: row.last_used_at.toISOString(),
      method: row.method,
      current: row.id === current,
      ...client,
    };
  }
}

function place(row: string) {
  return { table: 'sessions', column: 'client', row };
}
