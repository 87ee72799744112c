import { Injectable } from '@nestjs/common';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { AppError, InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, cursorOf, pageOf } from '../platform/http/pagination.js';
import type { AuditEventDto, AuditPageDto, AuditQuery } from './audit.dto.js';
import { parseEvent } from './audit-event.js';
import { AuditLog } from './audit-log.js';
import { ColdLog } from './cold-log.js';
import { FindEvents, type Found, type Search } from './find-events.js';
import { PersonalParts } from './personal-parts.js';
import type { TimeRange } from './postings.js';
import { scanEvents, type FoundRow } from './scan-events.js';

export class RestoreNotReady extends AppError {
  readonly kind = 'conflict';
  readonly code = 'RESTORE_NOT_READY';
  constructor() {
    super('These events are not loaded, or could not be. GET /v1/audit/restores says which.');
  }
}

interface Asked extends Pick<Search, 'filter' | 'limit'> {
  /** Only events before this one. */
  readonly before: number;
}

/** Where a search goes on before: an event's number. */
const CURSOR = /^\d{1,15}$/;

/** Finds events of a tenant's log in the database, newest first. Everything that was answered before the call is looked at. */
@Injectable()
export class SearchLog {
  constructor(
    private readonly cells: Cells,
    private readonly log: AuditLog,
    private readonly personal: PersonalParts,
    private readonly cold: ColdLog,
    private readonly find: FindEvents,
  ) {}

  async execute(tenant: TenantRef, query: AuditQuery): Promise<AuditPageDto> {
    requireTimes(query);
    await this.log.drainOutbox(tenant.cell);
    await this.log.requireOpen(tenant);
    const before = Number(cursorKey(query.cursor, CURSOR) ?? Number.MAX_SAFE_INTEGER);
    const { restore, limit, cursor: _cursor, ...filter } = query;
    const search = { before, filter, limit };
    const { first, rows, unseen } =
      restore === undefined
        ? await this.#inLog(tenant, search)
        : await this.#inRestore(tenant, restore, search);
    const page = pageOf(
      rows,
      limit,
      ({ seq }) => seq,
      (row) => row,
    );
    const items = await Promise.all(page.items.map((row) => this.#dto(tenant, row)));
    // It had looked at enough before it had found a page.
    const goesOn = unseen !== undefined && { nextCursor: cursorOf(String(unseen + 1)) };
    return { ...page, ...goesOn, items, from: first };
  }

  async #inLog(tenant: TenantRef, { before, filter, limit }: Asked): Promise<Found & { first: number }> {
    const first = (await this.cold.through(tenant)) + 1;
    const last = Math.min(before - 1, await this.log.length(tenant));
    const found = await this.find.execute(tenant, { first, last, filter, limit: limit + 1 });
    // A table of old events that was dropped meanwhile took what was not looked at yet.
    return (await this.cold.through(tenant)) < first
      ? { ...found, first }
      : this.#inLog(tenant, { before, filter, limit });
  }

  /** A range that was loaded is no longer than what one search looks at one by one. */
  async #inRestore(
    tenant: TenantRef,
    restore: string,
    { before, filter, limit }: Asked,
  ): Promise<Found & { first: number }> {
    const first = await this.#requireReady(tenant, restore);
    const source = { pool: this.cells.of(tenant.cell).audit, table: 'restored', owner: restore } as const;
    const rows = await scanEvents(source, { first, last: before - 1 }, filter, limit + 1);
    return { rows, first };
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

  async #dto(tenant: TenantRef, row: FoundRow): Promise<AuditEventDto> {
    const { v: _v, tenant: _tenant, sealed, client, policies, ...body } = parseEvent(row.event);
    const personal = await this.personal.of(tenant, { id: body.id, client, sealed });
    return {
      seq: Number(row.seq),
      ...body,
      ...(policies && { policies: [...policies] }),
      ...personal,
      chainHash: row.chain_hash.toString('hex'),
    };
  }
}

/** @throws {InvalidRequest} where a time ends before it begins */
export function requireTimes({ since, until }: TimeRange, pointer = 'until'): void {
  if (since !== undefined && until !== undefined && Date.parse(since) >= Date.parse(until))
    throw new InvalidRequest([{ pointer, detail: 'until must be after since' }]);
}
