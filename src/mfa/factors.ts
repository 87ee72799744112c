import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { ROLE_OF_STANDING } from '../auth/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { SecondFactorConfig } from '../platform/config/index.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { secondFactorRules } from '../sign-in/index.js';
import { TooManySecondFactors } from './mfa.errors.js';
import { textMessagesCount, textMessagesOffered } from './requirement.js';

export const FACTOR_TYPES = ['totp', 'webauthn', 'sms'] as const;
export type FactorType = (typeof FACTOR_TYPES)[number];

/** What is kept of a factor under its person's own key. */
export interface FactorDetails {
  /** What its person calls it. */
  readonly name: string;
  /** TOTP: base64. */
  readonly secret?: string;
  /** Text messages: where they go, E.164. */
  readonly number?: string;
  /** WebAuthn. */
  readonly credential?: StoredCredential;
}

export interface StoredCredential {
  /** Base64url, as the browser names it. */
  readonly id: string;
  /** COSE, base64url. */
  readonly publicKey: string;
  readonly transports: readonly string[];
  readonly aaguid: string;
  /** Whether it may be copied to other devices of its person: a passkey that is synchronised. */
  readonly backedUp: boolean;
}

export interface Factor {
  readonly id: string;
  readonly userId: string;
  readonly type: FactorType;
  /** TOTP: the last counter that was used. WebAuthn: as the authenticator counts. */
  readonly counter: number;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly details: FactorDetails;
}

export interface AskedFactors {
  /** Kinds that count. */
  readonly counting: FactorType[];
  /** Whether there is any, although it may count no more. */
  readonly had: boolean;
  /** Those that count; where none does any more, what can be proved all the same before another is set up. */
  readonly asked: readonly FactorType[];
}

interface Row extends Record<string, unknown> {
  id: string;
  user_id: string;
  type: FactorType;
  details: Buffer;
  counter: string;
  created_at: Date;
  last_used_at: Date | null;
}

sealedColumn({ table: 'second_factors', column: 'details', key: [['id', 'uuid']] });

const MOST = 20;
/** For so long a factor may be begun and not finished. */
export const ENROLMENT_SECONDS = 900;
const COLUMNS = 'id, user_id, type, details, counter, created_at, last_used_at';

/** The second factors of people, of the tenant in scope. What writes runs in the caller's unit of work. */
@Injectable()
export class Factors {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly config: SecondFactorConfig,
  ) {}

  /** Those that count, the oldest first. */
  async of(userId: string): Promise<Factor[]> {
    const rows = await this.database.query<Row>({
      text: `SELECT ${COLUMNS} FROM second_factors WHERE user_id = $1 AND active_at IS NOT NULL ORDER BY created_at, id LIMIT ${MOST}`,
      values: [userId],
    });
    return Promise.all(rows.map((row) => this.#opened(row)));
  }

  /** Which kinds of them there are that count for their person in this organisation. */
  async typesOf(userId: string, tenant: Pick<RequestTenant, 'signInRules'>): Promise<FactorType[]> {
    return (await this.askedOf(userId, tenant)).counting;
  }

  /** Which are asked for when their person signs in. */
  async askedOf(userId: string, tenant: Pick<RequestTenant, 'signInRules'>): Promise<AskedFactors> {
    const rows = await this.database.query<{ type: FactorType; role: string }>({
      text: `SELECT DISTINCT f.type, ${ROLE_OF_STANDING} AS role FROM second_factors f JOIN users u ON u.id = f.user_id
        WHERE f.user_id = $1 AND f.active_at IS NOT NULL ORDER BY f.type DESC`,
      values: [userId],
    });
    const rules = secondFactorRules(tenant);
    const counting = rows
      .filter(({ type, role }) => type !== 'sms' || textMessagesCount(this.config, rules, role))
      .map(({ type }) => type);
    const had = rows.length > 0;
    const left: readonly FactorType[] = textMessagesOffered(this.config, rules) && had ? ['sms'] : [];
    return { counting, had, asked: counting.length > 0 ? counting : left };
  }

  /** Takes the others of a kind away, in the running unit of work. */
  async keepOnly(userId: string, type: FactorType, id: string): Promise<void> {
    await this.database.query({
      text: 'DELETE FROM second_factors WHERE user_id = $1 AND type = $2 AND id <> $3',
      values: [userId, type, id],
    });
  }

  /** One that is set up at the moment, of its own person. */
  async begun(userId: string, id: string): Promise<Factor | undefined> {
    const [row] = await this.database.query<Row>({
      text: `SELECT ${COLUMNS} FROM second_factors WHERE id = $1 AND user_id = $2 AND active_at IS NULL
        AND created_at > now() - make_interval(secs => ${ENROLMENT_SECONDS})`,
      values: [id, userId],
    });
    return row && this.#opened(row);
  }

  async byCredential(credentialHash: Buffer): Promise<Factor | undefined> {
    const [row] = await this.database.query<Row>({
      text: `SELECT ${COLUMNS} FROM second_factors WHERE credential_hash = $1 AND active_at IS NOT NULL`,
      values: [credentialHash],
    });
    return row && this.#opened(row);
  }

  /** Adds one. It takes the place of others of its kind that were begun and not finished. */
  async add(
    userId: string,
    type: FactorType,
    details: FactorDetails,
    active?: { readonly credentialHash: Buffer; readonly counter: number },
  ): Promise<string> {
    const id = uuidv7();
    // Locked, so that many at once do not count past each other.
    await this.lock(userId);
    await this.database.query({
      text: 'DELETE FROM second_factors WHERE user_id = $1 AND type = $2 AND active_at IS NULL',
      values: [userId, type],
    });
    const sealed = await this.encryption.sealJson(currentTenant(), place(id), details, userId);
    const added = await this.database.query({
      text: `INSERT INTO second_factors (id, user_id, type, details, credential_hash, counter, active_at)
        SELECT $1, $2, $3, $4, $5, $6, CASE WHEN $5::bytea IS NOT NULL THEN now() END
        WHERE (SELECT count(*) FROM second_factors WHERE user_id = $2) < ${MOST} RETURNING id`,
      values: [id, userId, type, sealed, active?.credentialHash ?? null, active?.counter ?? 0],
    });
    if (added.length === 0) throw new TooManySecondFactors(MOST);
    return id;
  }

  /** From now on it counts. Whether it did not before. */
  async activate(id: string, counter: number): Promise<boolean> {
    const rows = await this.database.query({
      text: `UPDATE second_factors SET active_at = now(), counter = $2 WHERE id = $1 AND active_at IS NULL RETURNING id`,
      values: [id, counter],
    });
    return rows.length > 0;
  }

  /**
   * Notes that it was used. Whether it could be: of two uses of one counter at the same moment one is the first.
   * @param counter has to be beyond what it was; 0 of an authenticator that does not count
   */
  async use(id: string, counter: number): Promise<boolean> {
    const rows = await this.database.query({
      text: `UPDATE second_factors SET counter = $2, last_used_at = now()
        WHERE id = $1 AND active_at IS NOT NULL AND (counter < $2 OR (counter = 0 AND $2 = 0)) RETURNING id`,
      values: [id, counter],
    });
    return rows.length > 0;
  }

  /** @returns its kind; undefined where the person has no such factor */
  async remove(userId: string, id: string): Promise<FactorType | undefined> {
    const [row] = await this.database.query<{ type: FactorType }>({
      text: 'DELETE FROM second_factors WHERE id = $1 AND user_id = $2 AND active_at IS NOT NULL RETURNING type',
      values: [id, userId],
    });
    return row?.type;
  }

  async removeAll(userId: string): Promise<number> {
    const rows = await this.database.query({
      text: 'DELETE FROM second_factors WHERE user_id = $1 RETURNING id',
      values: [userId],
    });
    return rows.length;
  }

  async rename(factor: Factor, name: string): Promise<void> {
    const details: FactorDetails = { ...factor.details, name };
    const sealed = await this.encryption.sealJson(currentTenant(), place(factor.id), details, factor.userId);
    await this.database.query({
      text: 'UPDATE second_factors SET details = $2 WHERE id = $1',
      values: [factor.id, sealed],
    });
  }

  /** The person's row: changes of one person's factors wait for each other. */
  async lock(userId: string): Promise<void> {
    await this.database.query({
      text: 'SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE',
      values: [userId],
    });
  }

  async #opened(row: Row): Promise<Factor> {
    const details = await this.encryption.openJson(currentTenant(), place(row.id), row.details);
    return {
      id: row.id,
      userId: row.user_id,
      type: row.type,
      counter: Number(row.counter),
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at,
      details: details as FactorDetails,
    };
  }
}

function place(id: string) {
  return { table: 'second_factors', column: 'details', row: id };
}
