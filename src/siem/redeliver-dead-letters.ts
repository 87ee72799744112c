import { Injectable } from '@nestjs/common';
import { ExportLog, hasReadableParts } from '../audit/index.js';
import { Cells, currentTenant, type Cell, type TenantRef } from '../platform/database/index.js';
import { auditDetails } from '../platform/http/request-context.js';
import { batchesOf } from './batches.js';
import { Deliver } from './deliver.js';
import { Deliveries, type DeliveryLease } from './deliveries.js';
import type { DestinationEntity } from './destination.entity.js';
import { DeliveryAtWork, DestinationPaused } from './destinations.errors.js';
import { Destinations } from './destinations.js';
import type { RedeliverDto, RedeliveryDto } from './destinations.dto.js';
import { ocsfEvent } from './ocsf.js';

/** Events of one call, and the time after which no further one is begun: somebody waits for the answer. */
const AT_ONCE = 100;
const LONGEST_MS = 20_000;

/**
 * Sends events again that a receiver had refused for good, the oldest first, each by itself. An event is forgotten as a
 * dead letter only after the receiver has taken it: what is interrupted is sent once more, under the same id. Meanwhile
 * nobody else sends to the destination.
 */
@Injectable()
export class RedeliverDeadLetters {
  constructor(
    private readonly destinations: Destinations,
    private readonly deliver: Deliver,
    private readonly deliveries: Deliveries,
    private readonly exportLog: ExportLog,
    private readonly cells: Cells,
  ) {}

  async execute(
    id: string,
    { from = 1, to = Number.MAX_SAFE_INTEGER }: RedeliverDto,
  ): Promise<RedeliveryDto> {
    const destination = await this.destinations.find(id);
    if (destination.paused) throw new DestinationPaused();
    const tenant = currentTenant();
    const cell = this.cells.of(tenant.cell);
    const lease = await this.deliveries.take(tenant, id);
    if (!lease) throw new DeliveryAtWork();
    try {
      const seqs = await this.deliveries.putAside(lease, cell, { from, to }, AT_ONCE);
      const result = await this.#send({ tenant, cell, lease, destination }, seqs);
      const { delivered, refused, expired } = result;
      auditDetails({ changes: { from, to, delivered, refused, expired } });
      return result;
    } finally {
      await this.deliveries.putBack(cell, lease);
    }
  }

  async #send(turn: Turn, seqs: readonly number[]): Promise<RedeliveryDto> {
    const until = performance.now() + LONGEST_MS;
    const counted = { delivered: 0, refused: 0, expired: 0 };
    for (const seq of seqs) {
      if (performance.now() > until || !(await this.deliveries.renew(turn.cell, turn.lease)))
        return { ...counted, nextFrom: seq };
      const fate = await this.#one(turn, seq);
      if (typeof fate !== 'string') return { ...counted, error: fate.error, nextFrom: seq };
      counted[fate] += 1;
      if (fate !== 'refused') await this.deliveries.forgetDeadLetter(turn.lease, turn.cell, seq);
    }
    const last = seqs.at(-1);
    return { ...counted, ...(last !== undefined && seqs.length === AT_ONCE && { nextFrom: last + 1 }) };
  }

  async #one({ tenant, destination }: Turn, seq: number): Promise<Fate> {
    const [event] = await this.exportLog.after(tenant, seq - 1, 1, hasReadableParts);
    if (event?.seq !== seq) return 'expired';
    const sender = this.deliver.sender(destination);
    const { personalData } = destination.settings;
    const encoded = { seq, bytes: sender.encode(ocsfEvent(event, { personalData })) };
    const [batch] = batchesOf([encoded], sender.limits).batches;
    if (!batch) return 'refused';
    const verdict = await sender.send(batch);
    if (verdict.kind === 'later') return { error: verdict.error };
    return verdict.kind === 'accepted' ? 'delivered' : 'refused';
  }
}

type Fate = 'delivered' | 'refused' | 'expired' | { readonly error: string };

interface Turn {
  readonly tenant: TenantRef;
  readonly cell: Cell;
  readonly lease: DeliveryLease;
  readonly destination: DestinationEntity;
}
