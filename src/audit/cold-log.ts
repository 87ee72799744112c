import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { EMPTY_CHAIN, type Beginning } from '@waxell/transparency';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { TenantObjects } from '../platform/objects/index.js';
import { unpacked, type StoredEvent } from './stored-event.js';

/** Events of a log that are in one object. */
export interface ColdRange {
  readonly first: number;
  readonly last: number;
  readonly sha256: Buffer;
  /** Where chain and tree stand after the last of them. */
  readonly chain: Buffer;
  readonly frontier: Buffer;
  /** Leaf hashes from the last multiple of 256 up to the last of them. */
  readonly leaves: Buffer;
  /** The object is gone: its time was over. */
  readonly expired: boolean;
  /** The event that says so. */
  readonly vouchedBy: number | undefined;
}

/** Where a log that is still kept begins: after this event, whose chain and tree are known. */
export interface LogBeginning extends Beginning {
  /** The event of the log that says that what came before is gone. */
  readonly vouchedBy: number | undefined;
}

/** An object is not what was stored, or not there. */
export class ColdObjectAltered extends Error {
  override readonly name = 'ColdObjectAltered';
}

interface Row {
  first: string;
  last: string;
  sha256: Buffer;
  chain_hash: Buffer;
  frontier: Buffer;
  leaves: Buffer;
  expired: boolean;
  vouched_by: string | null;
}

const COLUMNS =
  'first, last, sha256, chain_hash, frontier, leaves, expired_at IS NOT NULL AS expired, vouched_by';

/** The part of the logs that is in the object store: always a beginning, the events after it are in the database. */
@Injectable()
export class ColdLog {
  constructor(
    private readonly cells: Cells,
    private readonly objects: TenantObjects,
  ) {}

  /** The last event that is cold; 0 where none is. */
  async through(tenant: TenantRef): Promise<number> {
    return (await this.#one(tenant, 'TRUE ORDER BY first DESC', []))?.last ?? 0;
  }

  /** The object that an event is in; undefined where it is not cold. */
  async containing(tenant: TenantRef, seq: number): Promise<ColdRange | undefined> {
    const range = await this.#one(tenant, 'first <= $2 ORDER BY first DESC', [seq]);
    return range && range.last >= seq ? range : undefined;
  }

  /** The last object that ends at or before an event. */
  endingBy(tenant: TenantRef, seq: number): Promise<ColdRange | undefined> {
    return this.#one(tenant, 'last <= $2 ORDER BY first DESC', [seq]);
  }

  async beginning(tenant: TenantRef): Promise<LogBeginning> {
    const expired = await this.#one(tenant, 'expired_at IS NOT NULL ORDER BY first DESC', []);
    if (!expired) return { seq: 0, chain: EMPTY_CHAIN, frontier: Buffer.alloc(0), vouchedBy: undefined };
    const { last: seq, chain, frontier, vouchedBy } = expired;
    return { seq, chain, frontier, vouchedBy };
  }

  /** @throws {ColdObjectAltered} */
  async events(tenant: TenantRef, range: ColdRange): Promise<StoredEvent[]> {
    const object = await this.object(tenant, range);
    if (!object || !hash('sha256', object, 'buffer').equals(range.sha256))
      throw new ColdObjectAltered(`${coldKey(range)} of ${tenant.id} is not what was stored.`);
    return unpacked(object).catch((cause: unknown) => {
      throw new ColdObjectAltered(`${coldKey(range)} of ${tenant.id} cannot be read.`, { cause });
    });
  }

  /** The object as it is there now. */
  object(tenant: TenantRef, range: Pick<ColdRange, 'first' | 'last'>): Promise<Buffer | null> {
    return this.objects.get(tenant, coldKey(range));
  }

  async #one(tenant: TenantRef, which: string, values: readonly unknown[]): Promise<ColdRange | undefined> {
    const { rows } = await this.cells
      .of(tenant.cell)
      .audit.query<Row>(
        `SELECT ${COLUMNS} FROM audit.cold WHERE tenant = $1 AND published AND ${which} LIMIT 1`,
        [tenant.id, ...values],
      );
    const [row] = rows;
    return (
      row && {
        first: Number(row.first),
        last: Number(row.last),
        sha256: row.sha256,
        chain: row.chain_hash,
        frontier: row.frontier,
        leaves: row.leaves,
        expired: row.expired,
        vouchedBy: row.vouched_by === null ? undefined : Number(row.vouched_by),
      }
    );
  }
}

/** Below the tenant's own prefix. */
export function coldKey({ first, last }: Pick<ColdRange, 'first' | 'last'>): string {
  return `audit/cold/${padded(first)}-${padded(last)}.jsonl.gz`;
}

function padded(seq: number): string {
  return String(seq).padStart(15, '0');
}
