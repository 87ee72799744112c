import { hash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { placeOf, type SignInMethod } from '../auth/index.js';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { currentTenant, TenantDatabase, type TenantId } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';
import { ChallengeInvalid, ChallengesBusy } from './mfa.errors.js';

export type ChallengePurpose = 'sign_in' | 'passkey' | 'step_up' | 'enrolment';

/** What is known of somebody between the first proof and the second. */
export interface Challenge {
  readonly id: string;
  /** As it was shown: what a security key signs follows from it. */
  readonly token: string;
  /** Undefined for a passkey, which says itself whose it is. */
  readonly userId: string | undefined;
  readonly sessionId: string | undefined;
  readonly epoch: number;
  /** How the first proof was given. */
  readonly method: SignInMethod;
  /** When the session has to end, whatever is proved. */
  readonly until: Date | undefined;
  /** For whoever gave the first proof: what is to be done with the session. */
  readonly note: unknown;
}

export interface NewChallenge {
  readonly userId?: string;
  readonly sessionId?: string;
  readonly epoch?: number;
  readonly method?: SignInMethod;
  readonly until?: Date | undefined;
  readonly note?: unknown;
  /** What whoever gave the first proof ends it by (`endFound`). */
  readonly foundBy?: readonly string[] | undefined;
}

interface Row extends Record<string, unknown> {
  id: string;
  user_id: string | null;
  session_id: string | null;
  epoch: number | null;
  method: SignInMethod | null;
  ends_at: Date | null;
  note: Buffer | null;
}

sealedColumn({ table: 'second_factor_challenges', column: 'note', key: [['id', 'uuid']] });

export const CHALLENGE_SECONDS = 300;
/** `wxm_` | tenant (16 hex digits) | `_` | 256 random bits. */
const TOKEN = /^wxm_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;
const MOST_TRIES = 5;
/** So many at once are an attack; each lives for five minutes. */
const MOST_UNDER_WAY = 20_000;

/** The sixteen digits of the organisation that a challenge is of; undefined where it is none. */
export function tenantOfChallenge(token: string): string | undefined {
  return TOKEN.exec(token)?.[1];
}

export function newChallengeToken(tenant: TenantId): string {
  return `wxm_${tenant.slice(2)}_${randomBytes(32).toString('base64url')}`;
}

/** What a security key is to sign: it follows from the token, and tells nothing of it. */
export function webauthnChallenge(token: string): string {
  return hash('sha256', `webauthn\0${token}`, 'base64url');
}

/**
 * Challenges, kept as a hash, of the tenant in scope. Each is bound to network and browser that it was made for, lives for
 * five minutes, can be tried five times, and is good once, whichever processes it is brought to.
 */
@Injectable()
export class Challenges {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly work: UnitOfWork,
  ) {}

  /** Makes one, in the running unit of work. @returns its token */
  async begin(purpose: ChallengePurpose, challenge: NewChallenge, id = uuidv7()): Promise<string> {
    await this.database.query({
      text: 'DELETE FROM second_factor_challenges WHERE expires_at <= now()',
      values: [],
    });
    const [found] = await this.database.query<{ count: number }>({
      text: `SELECT count(*)::int AS count FROM (SELECT 1 FROM second_factor_challenges LIMIT ${MOST_UNDER_WAY}) live`,
      values: [],
    });
    if ((found?.count ?? 0) >= MOST_UNDER_WAY) throw new ChallengesBusy();
    const token = newChallengeToken(currentTenant().id);
    const { userId, sessionId, epoch, method, until, note, foundBy } = challenge;
    const sealed =
      note === undefined
        ? null
        : await this.encryption.sealJson(currentTenant(), notePlace(id), note, userId);
    await this.database.query({
      text: `INSERT INTO second_factor_challenges
          (id, token_hash, purpose, user_id, session_id, epoch, place, method, note, ends_at, found_by, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now() + make_interval(secs => ${CHALLENGE_SECONDS}))`,
      values: [
        id,
        tokenHash(token),
        purpose,
        userId ?? null,
        sessionId ?? null,
        epoch ?? null,
        placeOf(),
        method ?? null,
        sealed,
        until ?? null,
        foundBy ?? null,
      ],
    });
    return token;
  }

  /**
   * Finds one, and counts that it was tried: a commit of its own, so that many tries at once are counted each.
   * Somebody elsewhere who has only seen it cannot use its tries up.
   * @throws {ChallengeInvalid}
   */
  async try(purpose: ChallengePurpose, token: string, sessionId?: string): Promise<Challenge> {
    const [row] = await this.work.bookkeeping('what comes of the try is the event', () =>
      this.database.query<Row>({
        text: `UPDATE second_factor_challenges SET attempts = attempts + 1
          WHERE token_hash = $1 AND purpose = $2 AND place = $3 AND session_id IS NOT DISTINCT FROM $4::uuid
            AND expires_at > now() AND attempts < ${MOST_TRIES}
          RETURNING id, user_id, session_id, epoch, method, ends_at, note`,
        values: [tokenHash(token), purpose, placeOf(), sessionId ?? null],
      }),
    );
    if (!row) throw new ChallengeInvalid();
    return {
      id: row.id,
      token,
      userId: row.user_id ?? undefined,
      sessionId: row.session_id ?? undefined,
      epoch: row.epoch ?? 0,
      method: row.method ?? 'passkey',
      until: row.ends_at ?? undefined,
      note: row.note
        ? await this.encryption.openJson(currentTenant(), notePlace(row.id), row.note)
        : undefined,
    };
  }

  /** Whose a challenge is that was begun here and lives, without counting a try. @throws {ChallengeInvalid} */
  async look(
    purpose: ChallengePurpose,
    token: string,
    sessionId?: string,
  ): Promise<{ readonly id: string; readonly userId: string; readonly secondsLeft: number }> {
    const [row] = await this.database.query<{ id: string; user_id: string; seconds_left: number }>({
      text: `SELECT id, user_id, ceil(extract(epoch FROM expires_at - now()))::int AS seconds_left FROM second_factor_challenges
        WHERE token_hash = $1 AND purpose = $2 AND place = $3 AND user_id IS NOT NULL
          AND session_id IS NOT DISTINCT FROM $4::uuid
          AND expires_at > now() AND attempts < ${MOST_TRIES}`,
      values: [tokenHash(token), purpose, placeOf(), sessionId ?? null],
    });
    if (!row) throw new ChallengeInvalid();
    return { id: row.id, userId: row.user_id, secondsLeft: row.seconds_left };
  }

  /** Uses one up, in the running unit of work. @throws {ChallengeInvalid} where another request was first */
  async use({ id }: Challenge): Promise<void> {
    const rows = await this.database.query({
      text: 'DELETE FROM second_factor_challenges WHERE id = $1 RETURNING id',
      values: [id],
    });
    if (rows.length === 0) throw new ChallengeInvalid('CHALLENGE_USED');
  }

  /** Ends whatever is under way of a person, in the running unit of work. */
  async clear(userId: string): Promise<void> {
    await this.database.query({
      text: 'DELETE FROM second_factor_challenges WHERE user_id = $1',
      values: [userId],
    });
  }

  /** Ends those that are found by any of these, in the running unit of work: whoever proves the factor now comes too late. */
  async endFound(by: readonly string[]): Promise<number> {
    const rows = await this.database.query({
      text: 'DELETE FROM second_factor_challenges WHERE found_by && $1::text[] RETURNING id',
      values: [by],
    });
    return rows.length;
  }
}

function tokenHash(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}

function notePlace(id: string) {
  return { table: 'second_factor_challenges', column: 'note', row: id };
}
