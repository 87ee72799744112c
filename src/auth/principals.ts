import { hash } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { EVERYBODY } from '../access/index.js';
import { Feed, TenantDatabase, type Change, type TenantRef } from '../platform/database/index.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { signInRules } from '../sign-in/index.js';
import { ACCESS_OF_USER, accessOf, type AccessRow } from './access-of-principal.js';
import type { AccessClaims, TokenClaims } from './access-tokens.js';
import { apiKeyPrincipal } from './api-key-principal.js';
import { InvalidCredential } from './auth.errors.js';
import type { Authenticated } from './authenticated.js';
import { clientPrincipal } from './client-principal.js';
import type { Role } from './identity.entity.js';
import { directoryPrincipal } from './directory-principal.js';
import { supportPrincipal } from './support-principal.js';
import { transmitterPrincipal } from './transmitter-principal.js';

interface SessionRow extends AccessRow {
  id: string;
  exact_fingerprint: Buffer | null;
  fingerprint: Buffer;
  agent_fingerprint: Buffer | null;
  created_at: Date;
  expires_at: Date;
  last_used_at: Date;
  revoked_at: Date | null;
  user_id: string;
  role: Role;
  status: string;
  epoch: number;
  second_factor_at: Date | null;
  enrolment_only: boolean;
}

const CREDENTIALS_IN_MEMORY = 20_000;
/** The feed ends an entry at once; this bounds how long it stays after that a session was not used for too long. */
const KEEP_MS = 60_000;
/** A use is in the database at most so much later (last-use.ts): a session must not seem idle for that. */
const NOTED_LATE_MS = 90_000;

/**
 * Turns a credential into an actor. What is found is kept in memory, keyed by the credential's hash, and dropped the
 * moment the change feed says that the key, session or user changed; while the feed is down nothing is kept.
 */
@Injectable()
export class Principals implements OnModuleInit {
  readonly #known = new LRUCache<string, Authenticated>({
    max: CREDENTIALS_IN_MEMORY,
    ttl: KEEP_MS,
    dispose: (entry, key) => this.#unlink(entry, key),
  });
  readonly #dependents = new Map<string, Set<string>>();
  #changesHeard = 0;

  constructor(
    private readonly database: TenantDatabase,
    private readonly feed: Feed,
  ) {}

  onModuleInit(): void {
    this.feed.subscribe((change) => this.#changed(change));
  }

  apiKey(tenant: TenantRef, secret: string): Promise<Authenticated> {
    return this.#authenticate(
      secret,
      async () =>
        (await apiKeyPrincipal(this.database, tenant, secretHash(secret))) ??
        (await supportPrincipal(this.database, tenant, secretHash(secret))),
    );
  }

  /** The directory whose token this is. */
  directory(tenant: TenantRef, secret: string): Promise<Authenticated> {
    return this.#authenticate(secret, () => directoryPrincipal(this.database, tenant, secretHash(secret)));
  }

  /** The transmitter of security events whose token this is. */
  transmitter(tenant: TenantRef, secret: string): Promise<Authenticated> {
    return this.#authenticate(secret, () => transmitterPrincipal(this.database, tenant, secretHash(secret)));
  }

  session(tenant: RequestTenant, secret: string): Promise<Authenticated> {
    return this.#authenticate(secret, async () => {
      const row = await this.#sessionRow(tenant, 's.token_hash = $1', secretHash(secret));
      return row && sessionActor(tenant, row, sessionEnd(tenant, row));
    });
  }

  /** Whom an access token belongs to. A key that is given up while it is being verified is heard of, so it is verified here. */
  accessToken(
    tenant: RequestTenant,
    token: string,
    verify: () => Promise<TokenClaims>,
  ): Promise<Authenticated> {
    return this.#authenticate(token, async () => {
      const claims = await verify();
      if (claims.tenant !== tenant.id) throw new InvalidCredential();
      const found = await (claims.kind === 'client'
        ? clientPrincipal(this.database, tenant, claims)
        : this.#loadSession(tenant, claims));
      return found && { ...found, keyThumbprint: claims.keyThumbprint };
    });
  }

  /** The actor of an access token that was verified before and has not ended since. */
  remembered(token: string): Authenticated | undefined {
    const entry = this.feed.reliable() ? this.#known.get(keyOf(token)) : undefined;
    return entry && isCurrent(entry) ? entry : undefined;
  }

  async #authenticate(
    credential: string,
    load: () => Promise<Authenticated | undefined>,
  ): Promise<Authenticated> {
    const remembered = this.remembered(credential);
    if (remembered) return remembered;
    const heard = this.#changesHeard;
    const entry = await load();
    if (!entry || !isCurrent(entry)) throw new InvalidCredential();
    // A change heard while the row was on its way may have been to this row: good for this request, not for keeping.
    if (heard === this.#changesHeard) this.#remember(keyOf(credential), entry);
    return entry;
  }

  async #loadSession(tenant: RequestTenant, claims: AccessClaims): Promise<Authenticated | undefined> {
    const row = await this.#sessionRow(tenant, 's.id = $1', claims.sessionId);
    if (row?.epoch !== claims.epoch) return undefined;
    // It was issued while its session could be refreshed, and lives for minutes.
    return sessionActor(tenant, row, claims.expiresAt * 1_000);
  }

  async #sessionRow(tenant: TenantRef, where: string, value: unknown): Promise<SessionRow | undefined> {
    const [row] = await this.database.within(tenant, () =>
      this.database.query<SessionRow & Record<string, unknown>>({
        text: `SELECT s.id, s.exact_fingerprint, s.fingerprint, s.agent_fingerprint, s.created_at, s.expires_at,
            s.last_used_at, s.revoked_at, s.second_factor_at, s.enrolment_only,
            u.id AS user_id, u.role, u.status, u.epoch, ${ACCESS_OF_USER}
          FROM sessions s JOIN users u ON u.id = s.user_id WHERE ${where}`,
        values: [value],
      }),
    );
    return row;
  }

  #remember(key: string, entry: Authenticated): void {
    if (!this.feed.reliable()) return;
    this.#known.set(key, entry);
    for (const dependency of entry.dependsOn) {
      const keys = this.#dependents.get(dependency) ?? new Set();
      this.#dependents.set(dependency, keys.add(key));
    }
  }

  #unlink(entry: Authenticated, key: string): void {
    for (const dependency of entry.dependsOn) {
      const keys = this.#dependents.get(dependency);
      keys?.delete(key);
      if (keys?.size === 0) this.#dependents.delete(dependency);
    }
  }

  #changed({ kind, id, tenant }: Change): void {
    this.#changesHeard += 1;
    // Whatever was signed by a key that is compromised is known to nobody any more.
    if (kind === 'tenant' || kind === 'signing_keys') return this.#known.clear();
    if (kind === 'access' && id === EVERYBODY) return this.#forget(`tenant:${tenant}`);
    if (kind === 'access') return [`user:${id}`, `oauth_client:${id}`].forEach((one) => this.#forget(one));
    if (kind === 'access_gained') return this.#forget(`user:${id}`);
    this.#forget(`${kind === 'session_proof' ? 'session' : kind}:${id}`);
  }

  #forget(dependency: string): void {
    // Copied: deleting an entry takes its key out of the set.
    for (const key of Array.from(this.#dependents.get(dependency) ?? [])) this.#known.delete(key);
  }
}

/** High-entropy secrets are found by their SHA-256; the lookup tells nothing of a secret that it does not find. */
export function secretHash(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

function keyOf(credential: string): string {
  return hash('sha256', credential, 'base64');
}

function isCurrent({ expiresAt }: Authenticated): boolean {
  return expiresAt === undefined || expiresAt > Date.now();
}

/** When a session is over, in milliseconds since 1970: as it was opened, or sooner where its organisation says so now. */
function sessionEnd(tenant: RequestTenant, row: SessionRow): number {
  const longest = row.created_at.getTime() + signInRules(tenant).sessionSeconds * 1_000;
  return Math.min(row.expires_at.getTime(), longest);
}

function sessionActor(tenant: RequestTenant, row: SessionRow, expiresAt: number): Authenticated | undefined {
  if (row.revoked_at || row.status !== 'active') return undefined;
  const { idleSeconds } = signInRules(tenant);
  const unused = Date.now() - row.last_used_at.getTime() - NOTED_LATE_MS;
  if (idleSeconds !== null && unused > idleSeconds * 1_000) return undefined;
  return {
    actor: Object.freeze({
      type: 'user',
      id: row.user_id,
      tenant: tenant.id,
      roles: [row.role],
      sessionId: row.id,
      access: accessOf(row),
      ...(row.second_factor_at && { mfaAt: row.second_factor_at.getTime() }),
      ...(row.enrolment_only && { enrolmentOnly: true as const }),
    }),
    expiresAt,
    dependsOn: [`session:${row.id}`, `user:${row.user_id}`, `tenant:${tenant.id}`],
    bound: { exact: row.exact_fingerprint, network: row.fingerprint, off: row.agent_fingerprint },
  };
}
