import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../platform/database/index.js';
import { parseEvent, type EventBody } from './audit-event.js';
import { AuditLog } from './audit-log.js';
import { LogReader } from './log-reader.js';
import { PersonalParts } from './personal-parts.js';

/** An event as an export carries it. */
export interface ExportedEvent {
  readonly seq: number;
  /** The canonical bytes as text: what is hashed. */
  readonly event: string;
  readonly chainHash: string;
  /** What is encrypted in the event, opened: the keys end with the tenant. */
  readonly personal?: Record<string, unknown>;
  /** Some of that was of somebody who has been erased. */
  readonly erased?: true;
  /** The person whom it concerns, where that was known. */
  readonly person?: string;
}

/** A tenant's log, from the first event that is kept on, for whoever takes it along. */
@Injectable()
export class ExportLog {
  constructor(
    private readonly reader: LogReader,
    private readonly log: AuditLog,
    private readonly personal: PersonalParts,
  ) {}

  /**
   * The events after one, as many as are about so many bytes; none at the end. What is encrypted in them is opened where
   * `opens` says so.
   */
  async after(
    tenant: TenantRef,
    seq: number,
    bytes: number,
    opens: (body: EventBody) => boolean = () => true,
  ): Promise<ExportedEvent[]> {
    if (seq === 0) await this.log.drainOutbox(tenant.cell);
    const events = await this.reader.after(tenant, seq, bytes);
    return Promise.all(
      events.map(async ({ seq: number, event, chain }) => {
        const body = parseEvent(event);
        const personal = opens(body) ? await this.#opened(tenant, body) : {};
        return {
          seq: number,
          event: event.toString('utf8'),
          chainHash: chain.toString('hex'),
          ...personal,
        };
      }),
    );
  }
  async #opened(
    tenant: TenantRef,
    body: EventBody,
  ): Promise<Pick<ExportedEvent, 'personal' | 'erased' | 'person'>> {
    const parts = await this.personal.of(tenant, body);
    const person = await this.personal.person(tenant, body);
    return { ...parts, ...(person !== undefined && { person }) };
  }
}
