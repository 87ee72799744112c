import { Injectable } from '@nestjs/common';
import { consistencyProof, inclusionProof, rootOf } from '@waxell/transparency';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { CellObjects } from '../platform/objects/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { Checkpointer } from './checkpointer.js';
import { LogTree, ROOT_LOG } from './log-tree.js';

export interface StoredCheckpoint {
  readonly size: number;
  readonly root: Buffer;
  /** C2SP tlog-checkpoint, signed. */
  readonly note: string;
  readonly at: Date;
}

export interface InclusionProof {
  readonly seq: number;
  readonly size: number;
  readonly leafHash: Buffer;
  readonly rootHash: Buffer;
  readonly hashes: readonly Buffer[];
}

export interface ConsistencyProof {
  readonly from: number;
  readonly to: number;
  readonly fromRootHash: Buffer;
  readonly toRootHash: Buffer;
  readonly hashes: readonly Buffer[];
}

export interface Publication {
  readonly size: number;
  /** The newest checkpoint of the log of checkpoints. */
  readonly root: StoredCheckpoint;
  readonly index: number;
  readonly leafHash: Buffer;
  readonly hashes: readonly Buffer[];
}

interface PublishedRow {
  size: string;
  root_seq: string;
  published_in: string | null;
}

interface Row {
  size: string;
  root: Buffer;
  note: string;
  at: Date;
}

const COLUMNS = 'size, root, note, at';

/** Proves to a tenant what its log holds, by checkpoints that were signed and cannot be taken back. */
@Injectable()
export class ProveLog {
  constructor(
    private readonly cells: Cells,
    private readonly checkpointer: Checkpointer,
    private readonly objects: CellObjects,
  ) {}

  /** A checkpoint that covers everything that was answered before the call. */
  async current(tenant: TenantRef): Promise<StoredCheckpoint> {
    await this.checkpointer.bringUp(this.cells.of(tenant.cell));
    const latest = await this.#checkpoint(tenant, tenant.id, undefined);
    if (!latest) throw new ResourceNotFound('checkpoint');
    return latest;
  }

  /** The last checkpoints, the newest first. */
  async list(tenant: TenantRef, before: number | undefined, limit: number): Promise<StoredCheckpoint[]> {
    const { rows } = await this.cells.of(tenant.cell).audit.query<Row>(
      `SELECT ${COLUMNS} FROM audit.checkpoints
       WHERE log = $1 AND ($2::bigint IS NULL OR size < $2) ORDER BY size DESC LIMIT $3`,
      [tenant.id, before ?? null, limit],
    );
    return rows.map(checkpointOf);
  }

  /**
   * That the event of a number is in the log as it was at a size, of which there may have been a checkpoint that somebody
   * has kept; without a size, in the newest.
   */
  async inclusion(tenant: TenantRef, seq: number, size: number | undefined): Promise<InclusionProof> {
    const newest = await this.#covering(tenant, tenant.id, size ?? 1);
    const of = size ?? newest.size;
    if (seq > of) throw new InvalidRequest([{ pointer: '/seq', detail: `seq must be at most ${of}` }]);
    const made = await this.#tree(tenant, tenant.id).with((hashes) => ({
      leaf: hashes({ level: 0, index: seq - 1 }),
      proof: inclusionProof(seq - 1, of, hashes),
      root: rootOf(of, hashes),
    }));
    const signed = await this.#checkpoint(tenant, tenant.id, of);
    return { seq, size: of, leafHash: made.leaf, rootHash: signed?.root ?? made.root, hashes: made.proof };
  }

  /** That nothing of the log as it was at `from` has changed at `to`: sizes up to that of the newest checkpoint. */
  consistency(tenant: TenantRef, from: number, to: number): Promise<ConsistencyProof> {
    return this.#consistency(tenant, tenant.id, from, to);
  }

  /** That nothing of its cell's log of checkpoints has changed: two that were shown to somebody are of one log. */
  rootConsistency(tenant: TenantRef, from: number, to: number): Promise<ConsistencyProof> {
    return this.#consistency(tenant, ROOT_LOG, from, to);
  }

  /** That a checkpoint of the tenant is in the log of all checkpoints, which is the same for everybody. */
  async publication(tenant: TenantRef, size: number | undefined): Promise<Publication> {
    const place = await this.#published(tenant, size);
    const cell = this.cells.all().find(({ name }) => name === (place?.cell ?? tenant.cell));
    // Where it was published is a cell that this process does not serve.
    if (!place || !cell) throw new ResourceNotFound('checkpoint');
    const where = { ...tenant, cell: cell.name };
    const root = await this.#covering(where, ROOT_LOG, place.rootSeq);
    const index = place.rootSeq - 1;
    const made = await this.#tree(where, ROOT_LOG).with((known) => ({
      leaf: known({ level: 0, index }),
      hashes: inclusionProof(index, root.size, known),
    }));
    return { size: place.size, root, index, leafHash: made.leaf, hashes: made.hashes };
  }

  async #consistency(tenant: TenantRef, log: string, from: number, to: number): Promise<ConsistencyProof> {
    await this.#covering(tenant, log, Math.max(from, to));
    if (from > to)
      throw new InvalidRequest([{ pointer: '/from', detail: 'from must not be larger than to' }]);
    const made = await this.#tree(tenant, log).with((known) => ({
      older: rootOf(from, known),
      newer: rootOf(to, known),
      hashes: consistencyProof(from, to, known),
    }));
    const [older, newer] = [
      await this.#checkpoint(tenant, log, from),
      await this.#checkpoint(tenant, log, to),
    ];
    return {
      from,
      to,
      fromRootHash: older?.root ?? made.older,
      toRootHash: newer?.root ?? made.newer,
      hashes: made.hashes,
    };
  }

  /** The newest checkpoint. @throws {ResourceNotFound} where it is of a smaller size: the tree is not signed so far */
  async #covering(tenant: TenantRef, log: string, size: number): Promise<StoredCheckpoint> {
    const newest = await this.#checkpoint(tenant, log, undefined);
    if (!newest || newest.size < size) throw new ResourceNotFound('checkpoint');
    return newest;
  }

  /** Where a checkpoint is in a log of checkpoints: one that is kept, or one that was. */
  async #published(
    { id, cell }: TenantRef,
    size: number | undefined,
  ): Promise<{ size: number; rootSeq: number; cell: string | undefined } | undefined> {
    const { rows } = await this.cells.of(cell).audit.query<PublishedRow>(
      `SELECT size, root_seq, published_in FROM (
         SELECT size, root_seq, published_in FROM audit.checkpoints WHERE log = $1
         UNION ALL SELECT size, root_seq, published_in FROM audit.published WHERE log = $1) c
       WHERE root_seq IS NOT NULL AND ($2::bigint IS NULL OR size = $2) ORDER BY size DESC LIMIT 1`,
      [id, size ?? null],
    );
    const [row] = rows;
    return (
      row && { size: Number(row.size), rootSeq: Number(row.root_seq), cell: row.published_in ?? undefined }
    );
  }

  #tree(tenant: TenantRef, log: string): LogTree {
    return new LogTree(this.cells.of(tenant.cell).audit, log, this.objects.of(tenant.cell));
  }

  async #checkpoint(
    tenant: TenantRef,
    log: string,
    size: number | undefined,
  ): Promise<StoredCheckpoint | undefined> {
    const { rows } = await this.cells.of(tenant.cell).audit.query<Row>(
      `SELECT ${COLUMNS} FROM audit.checkpoints
       WHERE log = $1 AND ($2::bigint IS NULL OR size = $2) ORDER BY size DESC LIMIT 1`,
      [log, size ?? null],
    );
    return rows[0] && checkpointOf(rows[0]);
  }
}

function checkpointOf({ size, root, note, at }: Row): StoredCheckpoint {
  return { size: Number(size), root, note, at };
}
