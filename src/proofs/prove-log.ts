import { Injectable } from '@nestjs/common';
import { consistencyProof, inclusionProof, leafHash } from '@waxell/transparency';
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
  /** Its number in the log of checkpoints, from 1. */
  readonly rootSeq: number | undefined;
}

export interface InclusionProof {
  readonly seq: number;
  readonly size: number;
  readonly leafHash: Buffer;
  readonly rootHash: Buffer;
  readonly hashes: readonly Buffer[];
}

interface Row {
  size: string;
  root: Buffer;
  note: string;
  at: Date;
  root_seq: string | null;
}

const COLUMNS = 'size, root, note, at, root_seq';

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

  /** That the event of a number is in the log as a checkpoint of this size has it; without a size, in the newest. */
  async inclusion(tenant: TenantRef, seq: number, size: number | undefined): Promise<InclusionProof> {
    const checkpoint = await this.#checkpoint(tenant, tenant.id, size);
    if (!checkpoint) throw new ResourceNotFound('checkpoint');
    if (seq > checkpoint.size)
      throw new InvalidRequest([{ pointer: '/seq', detail: `seq must be at most ${checkpoint.size}` }]);
    const made = await this.#tree(tenant, tenant.id).with((hashes) => ({
      leaf: hashes({ level: 0, index: seq - 1 }),
      proof: inclusionProof(seq - 1, checkpoint.size, hashes),
    }));
    return { seq, size: checkpoint.size, leafHash: made.leaf, rootHash: checkpoint.root, hashes: made.proof };
  }

  /** That nothing of the log as it was at `from` has changed at `to`. Both are sizes of checkpoints. */
  async consistency(tenant: TenantRef, from: number, to: number) {
    const [older, newer] = [
      await this.#checkpoint(tenant, tenant.id, from),
      await this.#checkpoint(tenant, tenant.id, to),
    ];
    if (!older || !newer) throw new ResourceNotFound('checkpoint');
    if (from > to)
      throw new InvalidRequest([{ pointer: '/from', detail: 'from must not be larger than to' }]);
    const tree = this.#tree(tenant, tenant.id);
    const hashes = await tree.with((known) => consistencyProof(from, to, known));
    return { from, to, fromRootHash: older.root, toRootHash: newer.root, hashes };
  }

  /** That a checkpoint of the tenant is in the log of all checkpoints, which is the same for everybody. */
  async publication(tenant: TenantRef, size: number | undefined) {
    const checkpoint = await this.#checkpoint(tenant, tenant.id, size);
    const root = await this.#checkpoint(tenant, ROOT_LOG, undefined);
    if (!checkpoint?.rootSeq || !root) throw new ResourceNotFound('checkpoint');
    const index = checkpoint.rootSeq - 1;
    const tree = this.#tree(tenant, ROOT_LOG);
    const hashes = await tree.with((known) => inclusionProof(index, root.size, known));
    return { checkpoint, root, index, leafHash: leafHash(Buffer.from(checkpoint.note)), hashes };
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

function checkpointOf({ size, root, note, at, root_seq }: Row): StoredCheckpoint {
  return { size: Number(size), root, note, at, rootSeq: root_seq === null ? undefined : Number(root_seq) };
}
