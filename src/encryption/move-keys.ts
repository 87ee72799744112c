import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import type { TenantId } from '../platform/database/index.js';
import type { MoveSessions } from '../platform/database/moving/index.js';
import { CellKms, type Kms } from './kms.js';

/** The least that AWS waits; the local adapter keeps to it. */
const WAITING_DAYS = 7;

/** A row of `encryption_keys`, whatever columns it has. Bytes are in PostgreSQL's hexadecimal form. */
type KeyRow = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly purpose: string;
  readonly state: string;
  readonly custody: string;
  readonly kms_key_id: string;
  /** Null for a key that only another of the tenant's keys wraps: its wrapping goes along as it is. */
  readonly wrapped: string | null;
};

/** Where a move's keys come from and go to. */
export interface KeyRoute {
  readonly tenant: TenantId;
  readonly from: string;
  readonly to: string;
  /** The tenant's key in the KMS of the cell that it goes to. */
  readonly kmsKey: string;
}

/**
 * Keys of a tenant that moves: its data keys are unwrapped in the KMS that they come from and wrapped in the one that
 * they go to. They stay what they are, so that what they have sealed is copied as it is; the place that a ciphertext is
 * bound to names tenant, table, column and row, and no region.
 */
@Injectable()
export class MoveKeys {
  static readonly TABLE = 'encryption_keys';

  constructor(private readonly kms: CellKms) {}

  /** Makes the tenant's key in a cell's KMS; answers its id. */
  newKey(tenant: TenantId, cell: string): Promise<string> {
    return this.kms.of(cell).createTenantKey(tenant);
  }

  /** Brings the target's keys to what the source's are; without effect where they are the same. Answers how many there are. */
  async rewrap(sessions: MoveSessions, route: KeyRoute): Promise<number> {
    const [source, target] = await Promise.all([
      keysOf(sessions.source, route.tenant),
      keysOf(sessions.target, route.tenant),
    ]);
    const there = new Map(target.map((row) => [row.id, row]));
    for (const row of source) {
      const copy = there.get(row.id);
      there.delete(row.id);
      if (copy && sameButForWrapping(row, copy)) continue;
      await this.#rewrapOne(sessions.target, row, route);
    }
    for (const id of there.keys())
      await sessions.target.query(`DELETE FROM "${route.tenant}".encryption_keys WHERE id = $1`, [id]);
    return source.length;
  }

  /** Has the keys of a cell that the tenant has left destroyed: unusable at once, gone after the least waiting time. */
  async condemn(cell: string, kmsKeys: readonly string[]): Promise<void> {
    const kms = this.kms.of(cell);
    for (const key of kmsKeys) await condemned(kms, key);
  }

  /** Ids of the KMS keys that the tenant's data keys are wrapped under in this database. */
  async kmsKeysOf(client: pg.Client, tenant: TenantId): Promise<string[]> {
    const known = await client.query('SELECT to_regclass($1) AS known', [`${tenant}.encryption_keys`]);
    if ((known.rows[0] as { known: unknown }).known === null) return [];
    const ours = (await keysOf(client, tenant)).filter(({ custody }) => custody !== 'customer');
    return [...new Set(ours.map((row) => row.kms_key_id))];
  }

  async #rewrapOne(target: pg.Client, row: KeyRow, { tenant, from, to, kmsKey }: KeyRoute): Promise<void> {
    const opens = row.wrapped !== null && row.state !== 'destroyed';
    const wrapped = opens
      ? await this.#wrappedAnew(row, row.wrapped, { tenant, from, to, kmsKey })
      : row.wrapped;
    // A customer's key stays the customer's: it has to open in the other cell as it is, or by the related key there.
    const there = row.custody === 'customer' ? this.kms.of(to).keyHere(row.kms_key_id) : kmsKey;
    const copy = { ...row, kms_key_id: there, wrapped };
    await target.query(`DELETE FROM "${tenant}".encryption_keys WHERE id = $1`, [row.id]);
    await target.query(
      `INSERT INTO "${tenant}".encryption_keys SELECT * FROM jsonb_populate_record(NULL::"${tenant}".encryption_keys, $1)`,
      [JSON.stringify(copy)],
    );
  }

  async #wrappedAnew(row: KeyRow, wrapped: string, { tenant, from, to, kmsKey }: KeyRoute): Promise<string> {
    const context = { tenant, purpose: row.purpose };
    const customers = row.custody === 'customer';
    const opening = this.kms.of(customers ? to : from);
    const keyId = customers ? opening.keyHere(row.kms_key_id) : row.kms_key_id;
    const plaintext = await opening.decrypt(keyId, bytesOf(wrapped), context);
    if (customers) {
      plaintext.fill(0);
      return wrapped;
    }
    let check: Buffer | undefined;
    try {
      const anew = await this.kms.of(to).encrypt(kmsKey, plaintext, context);
      check = await this.kms.of(to).decrypt(kmsKey, anew, context);
      if (!timingSafeEqual(check, plaintext))
        throw new Error('A key is not the same after it was rewrapped.');
      return `\\x${anew.toString('hex')}`;
    } finally {
      plaintext.fill(0);
      check?.fill(0);
    }
  }
}

async function keysOf(client: pg.Client, tenant: TenantId): Promise<KeyRow[]> {
  const { rows } = await client.query<{ row: KeyRow }>(
    `SELECT to_jsonb(k) AS row FROM "${tenant}".encryption_keys k ORDER BY k.id`,
  );
  return rows.map(({ row }) => row);
}

function sameButForWrapping(one: KeyRow, other: KeyRow): boolean {
  const { kms_key_id: _a, wrapped: _b, ...rest } = one;
  const { kms_key_id: _c, wrapped: _d, ...copied } = other;
  // jsonb has its members in one order.
  return JSON.stringify(rest) === JSON.stringify(copied);
}

function bytesOf(hexadecimal: string): Buffer {
  return Buffer.from(hexadecimal.slice(2), 'hex');
}

async function condemned(kms: Kms, key: string): Promise<void> {
  try {
    await kms.scheduleKeyDeletion(key, WAITING_DAYS);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code !== 'key_pending_deletion' && code !== 'key_not_found') throw error;
  }
}
