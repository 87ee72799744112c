import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';
import { ATTEMPT_SECONDS } from './browser-binding.js';
import { SsoBusy, SsoFailed } from './federation.errors.js';

export type AttemptPurpose = 'sign_in' | 'test' | 'step_up';

/** What is needed again when the provider answers. */
export interface AttemptSecrets {
  readonly returnTo?: string;
  /** Of whoever proves themselves again. */
  readonly session?: { readonly id: string; readonly userId: string };
  /** OIDC. */
  readonly nonce?: string;
  readonly verifier?: string;
  /** SAML: the id of our request. */
  readonly requestId?: string;
}

export interface Attempt {
  readonly purpose: AttemptPurpose;
  readonly secrets: AttemptSecrets;
}

interface Row extends Record<string, unknown> {
  id: string;
  purpose: AttemptPurpose;
  secrets: Buffer;
}

sealedColumn({ table: 'sso_attempts', column: 'secrets', key: [['id', 'uuid']] });

/** So many under way at once are an attack; each lives for ten minutes. */
const MOST_UNDER_WAY = 20_000;
/** Of a test that was ordered, and is begun by whoever opens its address: no browser yet. */
const ANY_BROWSER = Buffer.alloc(0);

export function newState(): string {
  return randomBytes(32).toString('base64url');
}

/** Sign-ins that are under way. The state that a browser carries to the provider and back is kept as a hash, and works once. */
@Injectable()
export class Attempts {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly encryption: FieldEncryption,
  ) {}

  /** In the running unit of work. */
  async begin(
    connectionId: string,
    state: string,
    browser: Buffer | 'any',
    { purpose, secrets }: Attempt,
  ): Promise<void> {
    await this.database.query({ text: 'DELETE FROM sso_attempts WHERE expires_at <= now()', values: [] });
    const [found] = await this.database.query<{ count: number }>({
      text: `SELECT count(*)::int AS count FROM (SELECT 1 FROM sso_attempts LIMIT ${MOST_UNDER_WAY}) live`,
      values: [],
    });
    if ((found?.count ?? 0) >= MOST_UNDER_WAY) throw new SsoBusy();
    const id = uuidv7();
    const sealed = await this.encryption.sealJson(currentTenant(), place(id), secrets);
    await this.database.query({
      text: `INSERT INTO sso_attempts (id, connection_id, purpose, state_hash, browser_hash, secrets, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))`,
      values: [
        id,
        connectionId,
        purpose,
        stateHash(state),
        browser === 'any' ? ANY_BROWSER : browser,
        sealed,
        ATTEMPT_SECONDS,
      ],
    });
  }

  /**
   * Uses an attempt up, whatever comes of it: a commit of its own, so that two answers at once cannot both have it.
   * @throws {SsoFailed} where there is none, or another browser began it
   */
  async consume(connectionId: string, state: string, browser: Buffer | 'any' | undefined): Promise<Attempt> {
    const row = await this.work.bookkeeping('the sign-in itself is the event', () =>
      this.#take(connectionId, state, browser),
    );
    const secrets = await this.encryption.openJson(currentTenant(), place(row.id), row.secrets);
    return { purpose: row.purpose, secrets: secrets as AttemptSecrets };
  }

  async #take(connectionId: string, state: string, browser: Buffer | 'any' | undefined): Promise<Row> {
    const [row] = await this.database.query<Row & { browser_hash: Buffer }>({
      text: `SELECT id, purpose, secrets, browser_hash FROM sso_attempts
        WHERE state_hash = $1 AND connection_id = $2 AND used_at IS NULL AND expires_at > now() FOR UPDATE`,
      values: [stateHash(state), connectionId],
    });
    if (!row) throw new SsoFailed('SSO_STATE_UNKNOWN');
    // Not used up by another browser: whoever has only seen the state cannot spoil the sign-in.
    if (!isSame(row.browser_hash, browser)) throw new SsoFailed('SSO_BROWSER_OTHER');
    await this.database.query({
      text: 'UPDATE sso_attempts SET used_at = now() WHERE id = $1',
      values: [row.id],
    });
    return row;
  }
}

function isSame(bound: Buffer, shown: Buffer | 'any' | undefined): boolean {
  if (shown === 'any') return bound.length === 0;
  return shown !== undefined && bound.length === shown.length && timingSafeEqual(bound, shown);
}

function stateHash(state: string): Buffer {
  return hash('sha256', state, 'buffer');
}

function place(id: string) {
  return { table: 'sso_attempts', column: 'secrets', row: id };
}
