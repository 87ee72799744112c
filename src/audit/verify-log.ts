import { Injectable } from '@nestjs/common';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { searchColumns } from './audit-event.js';
import { AuditLog } from './audit-log.js';
import { chainHash, EMPTY_CHAIN, Frontier, leafHash } from '@waxell/transparency';

/** The first event that is not as it was written, and what was done to it. */
export interface Finding {
  readonly seq: number;
  readonly id?: string;
  readonly kind:
    'event_altered' | 'columns_altered' | 'hash_altered' | 'event_missing' | 'log_truncated' | 'head_altered';
  readonly message: string;
}

export interface Verification {
  readonly valid: boolean;
  /** Events that were checked. */
  readonly checked: number;
  /** Head of the log as recomputed: keep it, and a later verification can be held against it. */
  readonly head: { readonly seq: number; readonly chainHash: string; readonly rootHash: string };
  readonly finding?: Finding;
}

interface Row {
  seq: string;
  id: string;
  at: string;
  action: string;
  actor: string;
  outcome: string;
  event: Buffer;
  leaf_hash: Buffer;
  chain_hash: Buffer;
}

const PAGE = 2_000;

/** Recomputes a tenant's log from its first event: every leaf, every link, the Merkle root and the head. */
@Injectable()
export class VerifyLog {
  constructor(
    private readonly cells: Cells,
    private readonly log: AuditLog,
  ) {}

  async execute(tenant: TenantRef): Promise<Verification> {
    await this.log.drainOutbox(tenant.cell);
    await this.log.requireOpen(tenant);
    const pool = this.cells.of(tenant.cell).audit;
    // The head first: events appended while we read come after it and are not part of what is verified.
    const heads = await pool.query<{ seq: string; chain_hash: Buffer; frontier: Buffer }>(
      'SELECT seq, chain_hash, frontier FROM audit.heads WHERE tenant = $1',
      [tenant.id],
    );
    const head = heads.rows[0];
    const size = Number(head?.seq ?? 0);
    const walk = new Walk(tenant.id);
    while (walk.seq < size && !walk.finding) {
      const page = await pool.query<Row>(
        `SELECT seq, id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, action, actor, outcome,
           event, leaf_hash, chain_hash
         FROM audit.events WHERE tenant = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT ${PAGE}`,
        [tenant.id, walk.seq, size],
      );
      if (page.rows.length === 0) walk.truncated(size);
      for (const row of page.rows) if (!walk.finding) walk.check(row);
    }
    if (!walk.finding && head) walk.checkHead(head);
    if (!walk.finding) await this.#nothingBeyond(tenant, size, walk);
    return walk.result();
  }

  /** Events without a head that counts them were put there by somebody else than the sequencer. */
  async #nothingBeyond(tenant: TenantRef, size: number, walk: Walk): Promise<void> {
    const beyond = await this.cells.of(tenant.cell).audit.query<{ seq: string }>(
      `SELECT e.seq FROM audit.events e LEFT JOIN audit.heads h ON h.tenant = e.tenant
       WHERE e.tenant = $1 AND (e.seq < 1 OR e.seq > COALESCE(h.seq, 0)) ORDER BY e.seq LIMIT 1`,
      [tenant.id],
    );
    const stray = beyond.rows[0];
    if (stray)
      walk.found(
        Number(stray.seq),
        'head_altered',
        `Event ${stray.seq} is not counted by the log's head of ${size} events.`,
      );
  }
}

class Walk {
  seq = 0;
  finding: Finding | undefined;
  #chain: Buffer = EMPTY_CHAIN;
  readonly #frontier = Frontier.of(Buffer.alloc(0), 0);

  constructor(private readonly tenant: string) {}

  check(row: Row): void {
    const seq = this.seq + 1;
    if (Number(row.seq) !== seq) {
      return this.found(seq, 'event_missing', `Event ${seq} is missing: the next one stored is ${row.seq}.`);
    }
    const leaf = leafHash(row.event);
    if (!leaf.equals(row.leaf_hash)) {
      return this.found(seq, 'event_altered', `The content of event ${seq} is not what was hashed.`, row.id);
    }
    const chain = chainHash(this.#chain, seq, leaf);
    if (!chain.equals(row.chain_hash)) {
      return this.found(
        seq,
        'hash_altered',
        `Event ${seq} does not follow from the events before it.`,
        row.id,
      );
    }
    const search = searchColumns(row.event, this.tenant);
    const same =
      search !== undefined &&
      search.id === row.id &&
      search.at === row.at &&
      search.action === row.action &&
      search.actor === row.actor &&
      search.outcome === row.outcome;
    if (!same) {
      return this.found(
        seq,
        'columns_altered',
        `The search columns of event ${seq} do not say what the event says.`,
        row.id,
      );
    }
    this.seq = seq;
    this.#chain = chain;
    this.#frontier.append(leaf);
  }

  checkHead(head: { chain_hash: Buffer; frontier: Buffer }): void {
    if (!head.chain_hash.equals(this.#chain) || !head.frontier.equals(this.#frontier.bytes())) {
      this.found(
        this.seq,
        'head_altered',
        `The head of the log does not follow from its ${this.seq} events.`,
      );
    }
  }

  truncated(size: number): void {
    this.found(
      this.seq + 1,
      'log_truncated',
      `The log has ${size} events by its head; from ${this.seq + 1} on they are gone.`,
    );
  }

  found(seq: number, kind: Finding['kind'], message: string, id?: string): void {
    this.finding = { seq, kind, message, ...(id && { id }) };
  }

  result(): Verification {
    return {
      valid: this.finding === undefined,
      checked: this.seq,
      head: {
        seq: this.seq,
        chainHash: this.#chain.toString('hex'),
        rootHash: this.#frontier.root().toString('hex'),
      },
      ...(this.finding && { finding: this.finding }),
    };
  }
}
