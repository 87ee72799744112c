import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { announce, TenantDatabase, type TenantId } from '../platform/database/index.js';
import { newSessionSecret } from '../platform/http/credential.js';
import {
  auditDetails,
  currentRequest,
  type Actor,
  type RequestTenant,
} from '../platform/http/request-context.js';
import type { SignInRules } from '../platform/http/tenant-rules.js';
import { UnitOfWork } from '../requests/index.js';
import { signInRules } from '../sign-in/index.js';
import { AccessTokens, ACCESS_TOKEN_SECONDS } from './access-tokens.js';
import { InvalidCredential, NoSession, SignInFailed } from './auth.errors.js';
import type { UserEntity } from './identity.entity.js';
import { secretHash } from './principals.js';
import { RefreshChecks, type RefreshedSession } from './refresh-checks.js';
import { fingerprintsOf, isBoundTo } from './session-binding.js';
import { SessionList } from './session-list.js';
import { TokenTenant } from './token-tenant.js';

export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds until the access token expires. */
  readonly expiresIn: number;
}

/** What a sign-in gives: for programs the tokens, for browsers the cookie. */
export interface SignedIn extends Tokens {
  readonly sessionSecret: string;
  /** Seconds that the session lives. */
  readonly sessionSeconds: number;
}

/** A key that whoever asks has proved to hold; `use` notes the proof in the running unit of work. */
export interface ProvenKey {
  readonly keyThumbprint: string;
  use(): Promise<void>;
}

/** How a person proved who they are when a session was opened. */
export type SignInMethod = 'password' | 'break_glass' | 'oidc' | 'saml' | 'passkey';

/** What is said of a session when it is opened. */
export interface Opening {
  /** What is to be written together with it. */
  readonly also?: () => Promise<void>;
  /** When it ends for good: nothing refreshes it. */
  readonly until?: Date | undefined;
  /** When a second factor was proved, if one was. */
  readonly secondFactorAt?: Date | undefined;
  /** It is good for setting up a second factor, and for nothing else until that is done. */
  readonly enrolmentOnly?: boolean;
}

interface RefreshRow extends Record<string, unknown> {
  session_id: string;
  used_at: Date | null;
  alive: boolean;
  /** Until its session cannot be refreshed any more. */
  seconds_left: number;
  user_id: string;
  epoch: number;
  key_thumbprint: string | null;
  method: SignInMethod;
  second_factor_at: Date | null;
  enrolment_only: boolean;
  exact_fingerprint: Buffer | null;
  fingerprint: Buffer;
  agent_fingerprint: Buffer | null;
}

const REFRESH_TOKEN = /^wxr_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

@Injectable()
export class Sessions {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly tokens: AccessTokens,
    private readonly list: SessionList,
    private readonly tenants: TokenTenant,
    private readonly checks: RefreshChecks,
  ) {}

  /**
   * Opens a session for a person who has proved, by whatever method, who they are, in the running unit of work.
   * @throws {SignInFailed} when the person was changed or disabled since `epoch` was read
   */
  async openIn(
    tenant: RequestTenant,
    user: Pick<UserEntity, 'id' | 'epoch'>,
    method: SignInMethod,
    opening: Opening = {},
  ): Promise<SignedIn & { readonly sessionId: string }> {
    const { also, until } = opening;
    const rules = signInRules(tenant);
    await this.#requireUnchanged(user);
    await also?.();
    await this.list.makeRoom(user.id, rules);
    const sessionId = uuidv7();
    const sessionSecret = newSessionSecret(tenant.id);
    const left = until === undefined ? Infinity : Math.floor((until.getTime() - Date.now()) / 1_000);
    const sessionSeconds = Math.max(0, Math.min(rules.sessionSeconds, left));
    await this.#insert(sessionId, user.id, sessionSecret, sessionSeconds, method, opening);
    auditDetails({ resource: { type: 'session', id: sessionId }, changes: { user: user.id, method } });
    const refreshSeconds = Math.max(0, Math.min(rules.refreshSeconds, left));
    const tokens = await this.#issue(tenant.id, sessionId, user, refreshSeconds);
    return { ...tokens, sessionSecret, sessionSeconds, sessionId };
  }

  async #insert(
    id: string,
    userId: string,
    secret: string,
    seconds: number,
    method: SignInMethod,
    { until, secondFactorAt, enrolmentOnly = false }: Opening,
  ): Promise<void> {
    const request = currentRequest();
    if (!request) throw new Error('A session begins with a request.');
    const { exact, network, off } = fingerprintsOf(request);
    const client = await this.list.sealClient(id, userId, {
      address: request.ip,
      userAgent: request.userAgent,
    });
    // Who can only set up a second factor has proved themselves this very moment.
    await this.database.query({
      text: `INSERT INTO sessions (id, user_id, token_hash, exact_fingerprint, fingerprint, agent_fingerprint, client, method,
          expires_at, ends_at, second_factor_at, enrolment_only, stepped_up_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9), $10, $11, $12, CASE WHEN $12 THEN now() END)`,
      values: [
        id,
        userId,
        secretHash(secret),
        exact,
        network,
        off,
        client,
        method,
        seconds,
        until ?? null,
        secondFactorAt ?? null,
        enrolmentOnly,
      ],
    });
  }

  /** Checking a password takes time, in which the person may have been disabled: such a sign-in came too late. Locks the person's row. */
  async #requireUnchanged({ id, epoch }: Pick<UserEntity, 'id' | 'epoch'>): Promise<void> {
    const unchanged = await this.database.query({
      text: `SELECT 1 FROM users WHERE id = $1 AND epoch = $2 AND status = 'active' FOR NO KEY UPDATE`,
      values: [id, epoch],
    });
    if (unchanged.length === 0) throw new SignInFailed();
  }

  /**
   * Gives new tokens for a refresh token, once. A second use means that it was stolen: the whole session ends.
   * @param key whose holder asks (RFC 9449): from then on nobody else refreshes the session
   */
  async refresh(refreshToken: string, key?: ProvenKey): Promise<Tokens> {
    const tenant = await this.tenants.of(REFRESH_TOKEN.exec(refreshToken)?.[1]);
    if (!tenant) throw new InvalidCredential();
    return this.database.within(tenant, async () => {
      const token = secretHash(refreshToken);
      const outcome = await this.work.run(async () => {
        await key?.use();
        return this.#rotate(tenant, token, key?.keyThumbprint);
      });
      if (!outcome) throw new InvalidCredential();
      return outcome;
    });
  }

  /** Ends the session of a refresh token, whoever shows it; one that is not known, or has ended, is left as it is. */
  async revoke(refreshToken: string): Promise<void> {
    const tenant = await this.tenants.of(REFRESH_TOKEN.exec(refreshToken)?.[1]);
    if (!tenant) return;
    await this.database.within(tenant, async () => {
      const [row] = await this.database.query<{ session_id: string }>({
        text: 'SELECT session_id FROM refresh_tokens WHERE token_hash = $1',
        values: [secretHash(refreshToken)],
      });
      if (!row) return;
      auditDetails({ resource: { type: 'session', id: row.session_id } });
      await this.work.run(() => this.#revoke(row.session_id, tenant.id));
    });
  }

  async end(actor: Actor): Promise<void> {
    const { sessionId } = actor;
    if (sessionId === undefined) throw new NoSession();
    await this.work.run(() => this.#revoke(sessionId, actor.tenant ?? ''));
  }

  async #rotate(
    tenant: RequestTenant,
    token: Buffer,
    thumbprint: string | undefined,
  ): Promise<Tokens | undefined> {
    const rules = signInRules(tenant);
    const [row] = await this.database.query<RefreshRow>({
      text: `SELECT r.session_id, r.used_at, r.key_thumbprint, u.id AS user_id, u.epoch, s.method, s.second_factor_at, s.enrolment_only, s.exact_fingerprint, s.fingerprint, s.agent_fingerprint,
          greatest(0, extract(epoch FROM least(s.ends_at, s.created_at + make_interval(secs => $2)) - now()))::integer AS seconds_left,
          (r.expires_at > now() AND s.revoked_at IS NULL AND u.status = 'active'
            AND ($3::integer IS NULL OR s.last_used_at > now() - make_interval(secs => $3))) AS alive
        FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id
        WHERE r.token_hash = $1 FOR UPDATE OF r`,
      values: [token, rules.refreshSeconds, rules.idleSeconds],
    });
    if (!row) throw new InvalidCredential();
    auditDetails({ resource: { type: 'session', id: row.session_id } });
    if (row.used_at) {
      // Committed, although the caller is refused: whoever holds the other copy must lose it too.
      auditDetails({ outcome: 'denied', changes: { reuse: true, revoked: true } });
      await this.#revoke(row.session_id, tenant.id);
      return undefined;
    }
    if (row.key_thumbprint !== null && row.key_thumbprint !== thumbprint) throw new InvalidCredential();
    if (!row.alive || row.seconds_left === 0 || !this.#isBound(row, rules)) throw new InvalidCredential();
    if (!(await this.checks.pass(tenant, sessionOf(row)))) throw new InvalidCredential();
    await this.database.query({
      text: 'UPDATE refresh_tokens SET used_at = now() WHERE token_hash = $1',
      values: [token],
    });
    await this.database.query({
      text: 'UPDATE sessions SET last_used_at = now() WHERE id = $1',
      values: [row.session_id],
    });
    const user = { id: row.user_id, epoch: row.epoch };
    return this.#issue(tenant.id, row.session_id, user, row.seconds_left, thumbprint);
  }

  #isBound(row: RefreshRow, { bindTokens, binding }: SignInRules): boolean {
    const request = currentRequest();
    if (!bindTokens || !request) return !bindTokens;
    const bound = { exact: row.exact_fingerprint, network: row.fingerprint, off: row.agent_fingerprint };
    return isBoundTo(bound, request, binding);
  }

  /** @param refreshSeconds for so long the refresh token works: no longer than the first one of its session */
  async #issue(
    tenant: TenantId,
    sessionId: string,
    { id: userId, epoch }: Pick<UserEntity, 'id' | 'epoch'>,
    refreshSeconds: number,
    keyThumbprint?: string,
  ): Promise<Tokens> {
    const refreshToken = `wxr_${tenant.slice(2)}_${randomBytes(32).toString('base64url')}`;
    await this.database.query({
      text: `INSERT INTO refresh_tokens (id, session_id, token_hash, expires_at, key_thumbprint)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4), $5)`,
      values: [uuidv7(), sessionId, secretHash(refreshToken), refreshSeconds, keyThumbprint ?? null],
    });
    const accessToken = await this.tokens.issue({ tenant, userId, sessionId, epoch, keyThumbprint });
    return { accessToken, refreshToken, expiresIn: ACCESS_TOKEN_SECONDS };
  }

  /** Ends sessions in the running unit of work, whoever's they are. */
  async endIn(sessionIds: readonly string[]): Promise<void> {
    await this.database.query({
      text: 'UPDATE sessions SET revoked_at = now() WHERE id = ANY ($1::uuid[]) AND revoked_at IS NULL',
      values: [sessionIds],
    });
    await this.database.query({
      text: `SELECT work.announce('session', id) FROM unnest($1::text[]) AS id`,
      values: [sessionIds],
    });
  }

  async #revoke(sessionId: string, tenant: string): Promise<void> {
    await this.database.query({
      text: 'UPDATE sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL',
      values: [sessionId],
    });
    await this.database.query(announce({ kind: 'session', tenant, id: sessionId }));
  }
}

function sessionOf({ user_id, method, second_factor_at, enrolment_only }: RefreshRow): RefreshedSession {
  const secondFactorProved = second_factor_at !== null;
  return { userId: user_id, method, secondFactorProved, enrolmentOnly: enrolment_only };
}
