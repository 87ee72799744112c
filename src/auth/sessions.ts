import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { BlindLookup } from '../encryption/index.js';
import { announce, TenantDatabase, type TenantId } from '../platform/database/index.js';
import { newSessionSecret } from '../platform/http/credential.js';
import {
  auditDetails,
  currentRequest,
  type Actor,
  type RequestTenant,
} from '../platform/http/request-context.js';
import { NetworkAdmission } from '../limits/index.js';
import { UnitOfWork } from '../requests/index.js';
import { requestTenant, requireServed, TenantRegistry } from '../tenancy/index.js';
import { AccessTokens, ACCESS_TOKEN_SECONDS } from './access-tokens.js';
import { fingerprintOf } from './authentication.guard.js';
import { InvalidCredential, NoSession, SignInFailed } from './auth.errors.js';
import { UserEntity } from './identity.entity.js';
import { passwordMatches } from './password.js';
import { secretHash } from './principals.js';

/** What a sign-in gives: for programs the tokens, for browsers the cookie. */
export interface SignedIn {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds until the access token expires. */
  readonly expiresIn: number;
  readonly sessionSecret: string;
}

/** How a person proved who they are when a session was opened. */
export type SignInMethod = 'password';

export const SESSION_SECONDS = 24 * 60 * 60;
const REFRESH_SECONDS = 7 * 24 * 60 * 60;
const REFRESH_TOKEN = /^wxr_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

@Injectable()
export class Sessions {
  constructor(
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
    private readonly work: UnitOfWork,
    private readonly tokens: AccessTokens,
    private readonly tenants: TenantRegistry,
    private readonly network: NetworkAdmission,
  ) {}

  async signIn(tenant: RequestTenant | undefined, email: string, password: string): Promise<SignedIn> {
    auditDetails({ personal: { email } });
    const user = tenant && (await this.lookup.findOne(UserEntity, 'email', email));
    if (user) auditDetails({ subject: user.id });
    const matches = await passwordMatches(user?.passwordHash ?? undefined, password);
    if (!tenant || !user || !matches || user.status !== 'active') throw new SignInFailed();
    return this.open(tenant, user, 'password');
  }

  /**
   * Opens a session for a person who has proved, by whatever method, who they are. A commit of its own.
   * @throws {SignInFailed} when the person was changed or disabled since `epoch` was read
   */
  async open(
    tenant: RequestTenant,
    user: Pick<UserEntity, 'id' | 'epoch'>,
    method: SignInMethod,
  ): Promise<SignedIn> {
    return this.work.run(async () => {
      await this.#requireUnchanged(user);
      const sessionId = uuidv7();
      const sessionSecret = newSessionSecret(tenant.id);
      await this.database.query({
        text: `INSERT INTO sessions (id, user_id, token_hash, fingerprint, expires_at)
          VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))`,
        values: [sessionId, user.id, secretHash(sessionSecret), this.#fingerprint(), SESSION_SECONDS],
      });
      auditDetails({ resource: { type: 'session', id: sessionId }, changes: { user: user.id, method } });
      return { ...(await this.#issue(tenant.id, sessionId, user.id, user.epoch)), sessionSecret };
    });
  }

  /** Checking a password takes time, in which the person may have been disabled: such a sign-in came too late. */
  async #requireUnchanged({ id, epoch }: Pick<UserEntity, 'id' | 'epoch'>): Promise<void> {
    const unchanged = await this.database.query({
      text: `SELECT 1 FROM users WHERE id = $1 AND epoch = $2 AND status = 'active' FOR SHARE`,
      values: [id, epoch],
    });
    if (unchanged.length === 0) throw new SignInFailed();
  }

  /** Gives new tokens for a refresh token, once. A second use means that it was stolen: the whole session ends. */
  async refresh(refreshToken: string): Promise<Omit<SignedIn, 'sessionSecret'>> {
    const tenant = await this.#tenantOf(refreshToken);
    return this.database.within(tenant, async () => {
      const token = secretHash(refreshToken);
      const outcome = await this.work.run(() => this.#rotate(tenant.id, token));
      if (!outcome) throw new InvalidCredential();
      return outcome;
    });
  }

  async end(actor: Actor): Promise<void> {
    const { sessionId } = actor;
    if (sessionId === undefined) throw new NoSession();
    await this.work.run(() => this.#revoke(sessionId, actor.tenant ?? ''));
  }

  async #rotate(tenant: TenantId, token: Buffer): Promise<Omit<SignedIn, 'sessionSecret'> | undefined> {
    const [row] = await this.database.query<{
      session_id: string;
      used_at: Date | null;
      alive: boolean;
      user_id: string;
      epoch: number;
    }>({
      text: `SELECT r.session_id, r.used_at, u.id AS user_id, u.epoch,
          (r.expires_at > now() AND s.revoked_at IS NULL AND u.status = 'active') AS alive
        FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id
        WHERE r.token_hash = $1 FOR UPDATE OF r`,
      values: [token],
    });
    if (!row) throw new InvalidCredential();
    auditDetails({ resource: { type: 'session', id: row.session_id } });
    if (row.used_at) {
      // Committed, although the caller is refused: whoever holds the other copy must lose it too.
      auditDetails({ outcome: 'denied', changes: { reuse: true, revoked: true } });
      await this.#revoke(row.session_id, tenant);
      return undefined;
    }
    if (!row.alive) throw new InvalidCredential();
    await this.database.query({
      text: 'UPDATE refresh_tokens SET used_at = now() WHERE token_hash = $1',
      values: [token],
    });
    await this.database.query({
      text: `UPDATE sessions SET expires_at = greatest(expires_at, now() + make_interval(secs => $2)) WHERE id = $1`,
      values: [row.session_id, ACCESS_TOKEN_SECONDS],
    });
    return this.#issue(tenant, row.session_id, row.user_id, row.epoch);
  }

  async #issue(
    tenant: TenantId,
    sessionId: string,
    userId: string,
    epoch: number,
  ): Promise<Omit<SignedIn, 'sessionSecret'>> {
    const refreshToken = `wxr_${tenant.slice(2)}_${randomBytes(32).toString('base64url')}`;
    await this.database.query({
      text: `INSERT INTO refresh_tokens (id, session_id, token_hash, expires_at)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4))`,
      values: [uuidv7(), sessionId, secretHash(refreshToken), REFRESH_SECONDS],
    });
    const accessToken = await this.tokens.issue({ tenant, userId, sessionId, epoch });
    return { accessToken, refreshToken, expiresIn: ACCESS_TOKEN_SECONDS };
  }

  async #revoke(sessionId: string, tenant: string): Promise<void> {
    await this.database.query({
      text: 'UPDATE sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL',
      values: [sessionId],
    });
    await this.database.query(announce({ kind: 'session', tenant, id: sessionId }));
  }

  /** A refresh token carries its tenant; nothing else in its request has to. */
  async #tenantOf(refreshToken: string): Promise<RequestTenant> {
    const hex = REFRESH_TOKEN.exec(refreshToken)?.[1];
    const tenant = hex && (await this.tenants.byId(`t_${hex}` as TenantId));
    const request = currentRequest();
    if (!tenant || !request) throw new InvalidCredential();
    if (tenant.status === 'creating' || tenant.status === 'purging') throw new InvalidCredential();
    if (request.tenant && request.tenant.id !== tenant.id) throw new InvalidCredential();
    requireServed(tenant, request.endpoint);
    request.tenant = requestTenant(tenant);
    // Its guard could not know yet for whom the request is.
    this.network.require(request.tenant, request);
    return request.tenant;
  }

  #fingerprint(): Buffer {
    const request = currentRequest();
    if (!request) throw new Error('A session begins with a request.');
    return fingerprintOf(request);
  }
}
