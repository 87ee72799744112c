import { Injectable } from '@nestjs/common';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { AppError, ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf } from '../platform/http/pagination.js';
import type { AuditEventDto, AuditPageDto, AuditQuery } from './audit.dto.js';
import { parseEvent } from './audit-event.js';
import { AuditLog } from './audit-log.js';
import { ColdLog } from './cold-log.js';
import { PersonalParts } from './personal-parts.js';

export class RestoreNotReady extends AppError {
  readonly kind = 'conflict';
  readonly code = 'RESTORE_NOT_READY';
  constructor() {
    super('These events are not loaded, or could not be. GET /v1/audit/restores says which.');
  }
}

interface Row {
  seq: string;
  event: Buffer;
  chain_hash: Buffer;
}

/** Reads what of a tenant's log is in the database, newest first. Everything that was answered before the call is in it. */
@Injectable()
export class SearchLog {
  constructor(
    private readonly cells: Cells,
    private readonly log: AuditLog,
    private readonly personal: PersonalParts,
    private readonly cold: ColdLog,
  ) {}

  async execute(tenant: TenantRef, query: AuditQuery): Promise<AuditPageDto> {
    await this.log.drainOutbox(tenant.cell);
    await this.log.requireOpen(tenant);
    const before = cursorKey(query.cursor, /^\d{1,15}$/);
    const { restore } = query;
    const from =
      restore === undefined
        ? (await this.cold.through(tenant)) + 1
        : await this.#requireReady(tenant, restore);
    const [table, owner] = restore === undefined ? ['events', 'tenant'] : ['restored', 'restore'];
    const found = await this.cells.of(tenant.cell).audit.query<Row>(
      `SELECT seq, event, chain_hash FROM audit.${table}
       WHERE ${owner} = $1 AND ($2::bigint IS NULL OR seq < $2) AND ($3::text IS NULL OR action = $3)
         AND ($4::text IS NULL OR actor = $4) AND ($5::timestamptz IS NULL OR at >= $5) AND seq >= $7
       ORDER BY seq DESC LIMIT $6`,
      [
        restore ?? tenant.id,
        before ?? null,
        query.action ?? null,
        query.actor ?? null,
        query.since ?? null,
        query.limit + 1,
        from,
      ],
    );
    const page = pageOf(
      found.rows,
      query.limit,
      (row) => row.seq,
      (row) => row,
    );
    const items = await Promise.all(page.items.map((row) => this.#dto(tenant, row)));
    return { ...page, items, from };
  }

  /** Answers the first event of a range that was loaded from cold storage. */
  async #requireReady(tenant: TenantRef, restore: string): Promise<number> {
    const { rows } = await this.cells
      .of(tenant.cell)
      .audit.query<{ first: string; status: string }>(
        'SELECT first, status FROM audit.restores WHERE id = $1 AND tenant = $2 AND expires_at > now()',
        [restore, tenant.id],
      );
    const [found] = rows;
    if (!found) throw new ResourceNotFound('restore');
    if (found.status !== 'READY') throw new RestoreNotReady();
    return Number(found.first);
  }

  async #dto(tenant: TenantRef, row: Row): Promise<AuditEventDto> {
    const { v: _v, tenant: _tenant, sealed, client, policies, ...body } = parseEvent(row.event);
    const personal = await this.personal.of(tenant, { id: body.id, client, sealed });
    return {
      seq: Number(row.seq),
      ...body,
      ...(policies && { policies: [...policies] }),
      ...(personal && { personal }),
      chainHash: row.chain_hash.toString('hex'),
    };
  }
}
