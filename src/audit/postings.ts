import { Injectable } from '@nestjs/common';
import { Cells, INDEX_LOCK, type TenantRef } from '../platform/database/index.js';
import { intersect, lastOf, numbersAt, placesOf, type PostingBlock } from './posting-block.js';
import { BUCKETS, type Term } from './search-terms.js';

/** From when to when; the end is not in it. RFC 3339. */
export interface TimeRange {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/**
 * The index of the logs: for each whole block of a log's numbers, which events have which values. Derived from the events,
 * and only ever a hint where to look: a block that is not in it is read as it stands, and what is found is held against
 * the event.
 */
@Injectable()
export class Postings {
  constructor(private readonly cells: Cells) {}

  /** Of the blocks from one to another those that are indexed, and whether they may have events of that time. */
  async indexed(
    tenant: TenantRef,
    first: number,
    last: number,
    { since, until }: TimeRange = {},
  ): Promise<Map<number, boolean>> {
    const { rows } = await this.cells.of(tenant.cell).audit.query<{ block: number; of_time: boolean }>(
      `SELECT block, ($4::timestamptz IS NULL OR latest >= $4) AND ($5::timestamptz IS NULL OR earliest < $5) AS of_time
       FROM audit.indexed WHERE tenant = $1 AND block BETWEEN $2 AND $3`,
      [tenant.id, first, last, since ?? null, until ?? null],
    );
    return new Map(rows.map(({ block, of_time: ofTime }) => [block, ofTime]));
  }

  /** The numbers of the events, in blocks that are indexed, that may have all the terms, of which there is one at least; the newest first. */
  async candidates(
    tenant: TenantRef,
    blocks: readonly number[],
    [rarest, ...others]: readonly Term[],
  ): Promise<Iterable<number>> {
    const found = new Map<number, Uint8Array>();
    if (rarest)
      for (const { block, entries } of await this.#rows(tenant, blocks, [rarest.bucket])) {
        const places = placesOf(entries, rarest);
        if (places) found.set(block, places);
      }
    if (others.length > 0 && found.size > 0) await this.#narrow(tenant, found, others);
    const newest = [...found].sort(([a], [b]) => b - a);
    return (function* () {
      for (const [block, places] of newest) yield* numbersAt(block, places);
    })();
  }

  /** Stores a full block, once however often it is called. Nothing is stored for a log that is closed or gone. */
  async write(tenant: TenantRef, block: PostingBlock): Promise<void> {
    const rows = block.rows();
    const values = [
      tenant.id,
      block.block,
      lastOf(block.block),
      block.earliest || null,
      block.latest || null,
      rows.map(({ bucket }) => bucket),
      rows.map(({ entries }) => entries.length),
      Buffer.concat(rows.map(({ entries }) => entries)),
    ];
    const client = await this.cells.of(tenant.cell).audit.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      // Whoever takes a log away waits for it; the statement after it sees what they have done.
      await client.query('SELECT pg_advisory_xact_lock_shared($1, hashtext($2))', [INDEX_LOCK, tenant.id]);
      await client.query(WRITE, values);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async #narrow(tenant: TenantRef, found: Map<number, Uint8Array>, terms: readonly Term[]): Promise<void> {
    const buckets = [...new Set(terms.map(({ bucket }) => bucket))];
    const rows = await this.#rows(tenant, [...found.keys()], buckets);
    const entriesOf = new Map(rows.map(({ block, bucket, entries }) => [block * BUCKETS + bucket, entries]));
    for (const [block, places] of found) {
      const left = terms.every((term) => {
        const entries = entriesOf.get(block * BUCKETS + term.bucket);
        const others = entries && placesOf(entries, term);
        return others !== undefined && intersect(places, others);
      });
      if (!left) found.delete(block);
    }
  }

  /** As one value: thousands of rows cost the driver more than what is in them. */
  async #rows(
    tenant: TenantRef,
    blocks: readonly number[],
    buckets: readonly number[],
  ): Promise<BucketRow[]> {
    const { rows } = await this.cells.of(tenant.cell).audit.query<{ packed: Buffer | null }>(
      `SELECT string_agg(int4send(block) || int2send(bucket) || int4send(octet_length(entries)) || entries, '') AS packed
       FROM audit.postings WHERE tenant = $1 AND bucket = ANY($2) AND block = ANY($3)`,
      [tenant.id, buckets, blocks],
    );
    return rows[0]?.packed ? unpacked(rows[0].packed) : [];
  }
}

interface BucketRow {
  readonly block: number;
  readonly bucket: number;
  readonly entries: Buffer;
}

function unpacked(packed: Buffer): BucketRow[] {
  const rows: BucketRow[] = [];
  for (let at = 0; at < packed.length;) {
    const length = packed.readInt32BE(at + 6);
    const entries = packed.subarray(at + 10, at + 10 + length);
    rows.push({ block: packed.readInt32BE(at), bucket: packed.readInt16BE(at + 4), entries });
    at += 10 + length;
  }
  return rows;
}

/** A block is indexed as a whole or not at all. Its period is that of its last event, so that it goes when nothing of it is left to be found. */
const WRITE = `WITH living AS (
    SELECT e.period FROM audit.heads h JOIN audit.events e ON e.tenant = h.tenant AND e.seq = $3
    WHERE h.tenant = $1 AND h.closed_at IS NULL),
  noted AS (
    INSERT INTO audit.indexed (tenant, block, period, earliest, latest)
    SELECT $1, $2, period, $4::timestamptz, $5::timestamptz FROM living ON CONFLICT DO NOTHING RETURNING period),
  cut AS (
    SELECT bucket, length, sum(length) OVER (ORDER BY ordinal) - length AS start
    FROM unnest($6::smallint[], $7::int[]) WITH ORDINALITY AS c(bucket, length, ordinal))
  INSERT INTO audit.postings (period, tenant, bucket, block, entries)
  SELECT period, $1, bucket, $2, substring($8::bytea, start::int + 1, length) FROM cut, noted`;
