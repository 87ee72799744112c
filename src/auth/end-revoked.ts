import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RepeatedWork } from '../platform/background/index.js';
import { Feed, TenantDatabase, type Change, type TenantRef } from '../platform/database/index.js';
import { NO_ACCESS, type Access } from '../platform/http/grants.js';
import type { Actor, RequestContext } from '../platform/http/request-context.js';
import { RunningRequests } from '../platform/http/running-requests.js';
import { Log } from '../platform/observability/log.js';
import { ACCESS_OF_ALL, accessOf, type AccessRow } from './access-of-principal.js';

const LOOK_MS = 100;
/** What ends by itself, as keys do and sessions, is looked for this often. */
const LOOK_ANYWAY_MS = 60_000;
/** An answer that was decided on before a change of access may begin to be streamed so long after it. */
const LOOK_FOR_MS = 500;
const CREDENTIALS: ReadonlySet<Change['kind']> = new Set([
  'impersonation',
  'user',
  'api_key',
  'session',
  'oauth_client',
  'oauth_token',
  'directory',
  'transmitter',
]);

/**
 * Ends requests that are being served when their credential is revoked: by the change feed at once, and by asking the
 * database while the feed cannot be trusted. New requests are refused by `Principals`.
 */
@Injectable()
export class EndRevoked implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #lookedAt = performance.now();
  /** Organisations in which somebody may have lost something of late, and until when it is looked for that. */
  readonly #changed = new Map<string, number>();
  #unsubscribe: () => void = () => undefined;
  readonly #rounds = new RepeatedWork(
    () => this.round(),
    LOOK_MS,
    (error) =>
      this.log.error('it could not be looked up whether credentials are alive; it is repeated', error),
  );

  constructor(
    private readonly running: RunningRequests,
    private readonly database: TenantDatabase,
    private readonly feed: Feed,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#unsubscribe = this.feed.subscribe(({ kind, id, tenant }) => {
      if (kind === 'access') this.#changed.set(tenant, Date.now() + LOOK_FOR_MS);
      if (CREDENTIALS.has(kind)) this.running.revoke(({ actor }) => dependsOn(actor, id));
    });
    this.#rounds.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#unsubscribe();
    await this.#rounds.stop();
  }

  /** Asks the database, where that is due: of all, or of the answers that are being streamed where access has changed. */
  async round(): Promise<void> {
    const now = Date.now();
    this.running.revoke(({ actor }) => actor.endsAt !== undefined && actor.endsAt <= now);
    const all = !this.feed.reliable() || performance.now() - this.#lookedAt >= LOOK_ANYWAY_MS;
    if (!all && this.#changed.size === 0) return;
    if (all) this.#lookedAt = performance.now();
    const due = [...this.running.all()].filter(
      ({ tenant, onRevoked }) => tenant && (all || (onRevoked && this.#changed.has(tenant.id))),
    );
    for (const [tenant, requests] of Map.groupBy(due, (request) => request.tenant))
      if (tenant) await this.#look(tenant, requests);
    for (const [tenant, until] of this.#changed) if (until <= now) this.#changed.delete(tenant);
  }

  async #look(tenant: TenantRef, requests: readonly RequestContext[]): Promise<void> {
    const actors = requests.map(({ actor }) => actor).filter((actor) => actor.tenant === tenant.id);
    if (actors.length === 0) return;
    const clients = actors.filter(({ type, clientId }) => type === 'client' || clientId !== undefined);
    const alive = await this.database.within(tenant, () =>
      this.database.query<{ id: string }>({
        text: `SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id
            WHERE s.id = ANY ($1::uuid[]) AND s.revoked_at IS NULL AND u.status = 'active'
          UNION ALL
          SELECT k.id FROM api_keys k JOIN users u ON u.id = k.user_id
            WHERE k.id = ANY ($1::uuid[]) AND k.revoked_at IS NULL AND u.status = 'active'
              AND (k.expires_at IS NULL OR k.expires_at > now())
          UNION ALL
          SELECT i.id FROM impersonations i JOIN users u ON u.id = i.user_id
            WHERE i.id = ANY ($1::uuid[]) AND i.ended_at IS NULL AND i.expires_at > now() AND u.status = 'active'
          UNION ALL
          SELECT t.id FROM scim_tokens t JOIN scim_directories d ON d.id = t.directory_id
            WHERE t.id = ANY ($1::uuid[]) AND t.revoked_at IS NULL AND t.expires_at > now() AND d.state = 'active'
          UNION ALL
          SELECT s.id FROM signal_transmitters s WHERE s.id = ANY ($1::uuid[]) AND s.state = 'active'
          UNION ALL
          SELECT t.id FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS t (id, client, directory)
            JOIN oauth_clients c ON c.id = t.client LEFT JOIN scim_directories d ON d.oauth_client_id = c.id
            WHERE d.id IS NOT DISTINCT FROM t.directory AND coalesce(d.state, 'active') = 'active' AND c.status = 'active' AND (c.expires_at IS NULL OR c.expires_at > now())
              AND NOT EXISTS (SELECT 1 FROM oauth_revoked_tokens r WHERE r.id = t.id)`,
        values: [
          [...new Set(actors.map(credentialOf))],
          clients.map(({ tokenId }) => tokenId),
          clients.map(({ id, clientId }) => clientId ?? id),
          clients.map(({ id, type }) => (type === 'directory' ? id : null)),
        ],
      }),
    );
    const living = new Set(alive.map(({ id }) => id));
    const outdated = await this.#outdated(tenant, actors);
    const asked = new Set(requests);
    this.running.revoke((request) => {
      const { actor } = request;
      if (!asked.has(request) || actor.tenant !== tenant.id) return false;
      return !living.has(credentialOf(actor)) || outdated.has(actor);
    });
  }

  /**
   * Those from whom something was taken since, or for whom other policies are in force: what is served is decided anew.
   * Directories and transmitters are granted nothing, and have no row to compare with.
   */
  async #outdated(tenant: TenantRef, actors: readonly Actor[]): Promise<Set<Actor>> {
    const rows = await this.database.within(tenant, () =>
      this.database.query<AccessRow & { id: string } & Record<string, unknown>>({
        text: ACCESS_OF_ALL,
        values: [[...new Set(actors.map(({ id, userId }) => userId ?? id))]],
      }),
    );
    const now = new Map(rows.map((row) => [row.id, accessOf(row)]));
    return new Set(
      actors.filter(
        ({ type, id, userId, access = NO_ACCESS }) =>
          type !== 'directory' && type !== 'transmitter' && hasLost(access, now.get(userId ?? id)),
      ),
    );
  }
}

/** Whether less may be allowed than before: something was taken, or policies, which forbid by whatever they like, see a difference. */
function hasLost(before: Access, now: Access | undefined): boolean {
  if (now?.policies !== before.policies) return true;
  if (now.policies !== 0) return JSON.stringify(now) !== JSON.stringify(before);
  const held = new Set(now.grants.map((grant) => JSON.stringify(grant)));
  return before.grants.some((grant) => !held.has(JSON.stringify(grant)));
}

function dependsOn(
  { id, userId, sessionId, tokenId, clientId }: RequestContext['actor'],
  changed: string,
): boolean {
  return [id, userId, sessionId, tokenId, clientId].includes(changed);
}

/** The id of the session, key or token that was shown. */
function credentialOf({ id, sessionId, tokenId }: RequestContext['actor']): string {
  return sessionId ?? tokenId ?? id;
}
