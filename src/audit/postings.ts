import { Injectable } from '@nestjs/common';
import { Cells, copyOutOf, INDEX_LOCK, tenantId, type TenantRef } from '../platform/database/index.js';
import { lastOf, narrowed, numbersAt, placesOf, type PostingBlock } from './posting-block.js';
import type { Term } from './search-terms.js';

/** From when to when; the end is not in it. RFC 3339. */
export interface TimeRange {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/** A term of a search, and what was learned of it as the search went on. */
export interface SoughtTerm extends Term {
  /** Blocks in which the events that had the terms before it were held against it, and those of them in which any was left. */
  tried: number;
  left: number;
}

const NOWHERE = new Uint16Array(0);
/** Of a row in binary: the number of columns, then each column after its length. */
const BLOCK_AT = 6;
const ENTRIES_AT = 14;

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

  /**
   * The numbers of the events, in blocks that are indexed, that may have all the terms, of which there is one at least; the
   * newest first. The rarest term comes first; of the others those by which most blocks fell away, as each is looked up only
   * where something is left.
   */
  async candidates(
    tenant: TenantRef,
    blocks: readonly number[],
    [rarest, ...others]: readonly SoughtTerm[],
  ): Promise<Iterable<number>> {
    let found = new Map<number, Uint16Array>();
    if (rarest)
      await this.#rows(tenant, blocks, rarest, (block, entries) => {
        const places = placesOf(entries, rarest);
        if (places.length > 0) found.set(block, places);
      });
    for (const term of others.toSorted((a, b) => partLeft(a) - partLeft(b))) {
      if (found.size === 0) break;
      const left = new Map<number, Uint16Array>();
      await this.#rows(tenant, [...found.keys()], term, (block, entries) => {
        const places = narrowed(found.get(block) ?? NOWHERE, entries, term);
        if (places.length > 0) left.set(block, places);
      });
      term.tried += found.size;
      term.left += left.size;
      found = left;
    }
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

  /** The entries of a term's bucket in each of the blocks that has any; they are theirs until the call returns. */
  #rows(
    tenant: TenantRef,
    blocks: readonly number[],
    { bucket }: Term,
    onRow: (block: number, entries: Buffer) => void,
  ): Promise<void> {
    // Of the tenant only its id, whose form is checked, and numbers: nothing of anybody's input.
    const text = `COPY (SELECT block, entries FROM audit.postings WHERE tenant = '${tenantId(tenant.id)}'
      AND bucket = ${bucket} AND block = ANY('{${blocks.join(',')}}'::int[])) TO STDOUT (FORMAT binary)`;
    return copyOutOf(this.cells.of(tenant.cell).audit, text, (bytes, start, end) =>
      onRow(bytes.readInt32BE(start + BLOCK_AT), bytes.subarray(start + ENTRIES_AT, end)),
    );
  }
}

/** The part of the blocks that is left; one half of what is not known yet. */
function partLeft({ tried, left }: SoughtTerm): number {
  return (left + 1) / (tried + 2);
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
