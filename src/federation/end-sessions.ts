import { Injectable } from '@nestjs/common';
import { Sessions } from '../auth/index.js';
import { BlindLookup } from '../encryption/index.js';
import { Challenges } from '../mfa/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { identityMark, sidHash, sidMark } from './complete-sign-in.js';
import type { ConnectionEntity } from './connection.entity.js';
import { FederatedIdentityEntity, subjectKey } from './federated-identity.entity.js';
import { LogoutTokenInvalid } from './federation.errors.js';
import { Replays } from './replays.js';

/** Whose sessions a provider has ended, proven. */
export interface EndedAtProvider {
  readonly issuer: string;
  /** Absent: whoever has the session. */
  readonly subject?: string;
  /** Absent: all sessions of the subject. */
  readonly sids: readonly string[];
  /** The message itself: it counts once. */
  readonly once: { readonly id: string; readonly until: Date };
}

/** Ends sessions that a provider says are over, and sign-ins that wait for a second factor; every process hears of it by the feed. */
@Injectable()
export class EndSessions {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly lookup: BlindLookup,
    private readonly sessions: Sessions,
    private readonly challenges: Challenges,
    private readonly replays: Replays,
  ) {}

  /** @returns how many. @throws {LogoutTokenInvalid} for a message that was sent before */
  execute(connection: ConnectionEntity, ended: EndedAtProvider): Promise<number> {
    return this.work.run(async () => {
      const { id, until } = ended.once;
      if (!(await this.replays.first(connection.id, 'logout', id, until)))
        throw new LogoutTokenInvalid('LOGOUT_REPLAYED');
      const identityId = await this.#identity(connection, ended);
      const unknown = identityId === undefined && ended.subject !== undefined;
      // First what has no session yet: one that gets it at this moment is then among the sessions.
      const signIns = unknown ? 0 : await this.#endUnderWay(connection, identityId, ended.sids);
      const ids = unknown ? [] : await this.#sessions(connection, identityId, ended.sids);
      await this.sessions.endIn(ids);
      auditDetails({
        resource: { type: 'sso_connection', id: connection.id },
        changes: { sessions: ids.length, ...(signIns > 0 && { signIns }) },
      });
      return ids.length + signIns;
    });
  }

  async #identity(
    { id }: ConnectionEntity,
    { issuer, subject }: EndedAtProvider,
  ): Promise<string | undefined> {
    if (subject === undefined) return undefined;
    const key = subjectKey(id, issuer, subject);
    return (await this.lookup.findOne(FederatedIdentityEntity, 'subject', key))?.id;
  }

  async #endUnderWay(
    connection: ConnectionEntity,
    identityId: string | undefined,
    sids: readonly string[],
  ): Promise<number> {
    if (sids.length > 0)
      return this.challenges.endFound(sids.map((sid) => sidMark(connection.id, sid, identityId)));
    return identityId === undefined ? 0 : this.challenges.endFound([identityMark(identityId)]);
  }

  async #sessions(
    connection: ConnectionEntity,
    identityId: string | undefined,
    sids: readonly string[],
  ): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>({
      text: `SELECT s.id FROM federated_sessions f JOIN sessions s ON s.id = f.id
        WHERE f.connection_id = $1 AND s.revoked_at IS NULL
          AND ($2::uuid IS NULL OR f.identity_id = $2) AND ($3::bytea[] IS NULL OR f.sid_hash = ANY ($3))`,
      values: [connection.id, identityId ?? null, sids.length > 0 ? sids.map(sidHash) : null],
    });
    return rows.map(({ id }) => id);
  }
}
