import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { canonicalNotice, EventRecorder, type AuditEvent } from '../audit/index.js';
import {
  Cells,
  Feed,
  tenantId,
  type RegistryTransaction,
  type TenantRef,
} from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { TenantRegistry } from '../tenancy/index.js';

const PAGE = 100;
/** Changes of the registry are heard of at once; this finds what could not be delivered then. */
const LOOK_MS = 30_000;

/**
 * Puts what was done to an organisation into its own log. The registry is in the home database, the log in its cell's, so
 * the event is first kept as a notice, in the transaction of the change, and delivered from there by whichever process is
 * first. The log takes each notice once.
 */
@Injectable()
export class TellTenant implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #again = false;
  #delivering: Promise<void> | undefined;

  constructor(
    private readonly cells: Cells,
    private readonly tenants: TenantRegistry,
    private readonly events: EventRecorder,
    private readonly feed: Feed,
    private readonly log: Log,
  ) {}

  async note(registry: RegistryTransaction, tenant: TenantRef, event: AuditEvent): Promise<void> {
    const { bytes, search } = canonicalNotice(tenant, event);
    const text = 'INSERT INTO control.notices (id, tenant, event) VALUES ($1, $2, $3)';
    await registry.query({ text, values: [search.id, tenant.id, bytes] });
  }

  onApplicationBootstrap(): void {
    this.feed.subscribe(({ kind }) => {
      if (kind === 'tenant') this.#deliverSoon();
    });
    this.#timer = setInterval(() => this.#deliverSoon(), LOOK_MS).unref();
    this.#deliverSoon();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#delivering;
  }

  #deliverSoon(): void {
    this.#again = true;
    this.#delivering ??= this.#deliverAll().finally(() => {
      this.#delivering = undefined;
    });
  }

  async #deliverAll(): Promise<void> {
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        let last = '00000000-0000-0000-0000-000000000000';
        for (let found = PAGE; found === PAGE && !this.#stopped;) ({ found, last } = await this.#page(last));
      }
    } catch (error) {
      this.log.error('notices to organisations could not be read; it is repeated', error);
    }
  }

  async #page(after: string): Promise<{ found: number; last: string }> {
    const { rows } = await this.cells.home.control.query<{ id: string; tenant: string; event: Buffer }>(
      `SELECT id, tenant, event FROM control.notices WHERE id > $1 ORDER BY id LIMIT ${PAGE}`,
      [after],
    );
    // One whose cell does not answer keeps nobody else's waiting.
    for (const { id, tenant, event } of rows) {
      await this.#deliver(id, tenant, event).catch((error: unknown) =>
        this.log.error('an organisation could not be told; it is repeated', error, { tenant }),
      );
    }
    return { found: rows.length, last: rows.at(-1)?.id ?? after };
  }

  async #deliver(id: string, owner: string, event: Buffer): Promise<void> {
    const tenant = await this.tenants.byId(tenantId(owner));
    if (!tenant || !this.cells.has(tenant.cell)) return;
    // Of a log that is on its way to another cell nothing is taken; the notice waits for it there.
    if (!(await this.events.deliver(tenant, event))) return;
    await this.cells.home.control.query('DELETE FROM control.notices WHERE id = $1', [id]);
  }
}
