import { Injectable } from '@nestjs/common';
import {
  EventRecorder,
  ExportLog,
  hasReadableParts,
  type AuditEvent,
  type ExportedEvent,
} from '../audit/index.js';
import { KeysDestroyed } from '../encryption/index.js';
import { TenantDatabase, type Cell, type TenantRef } from '../platform/database/index.js';
import { OutgoingHttp } from '../platform/egress/index.js';
import { batchesOf } from './batches.js';
import { checkpointEvent } from './checkpoint-event.js';
import { Deliveries, type DeadLetter, type DeliveryLease } from './deliveries.js';
import { DestinationEntity } from './destination.entity.js';
import { ocsfEvent, type OcsfEvent } from './ocsf.js';
import { receiverOf } from './receiver-of.js';
import { LINE_LIMITS, logLine, writeLines } from './receivers/log-lines.js';
import type { Encoded, ReceiverLimits, Verdict } from './receivers/receiver.js';

/** Bytes of events as the log has them, that one turn takes: bounds memory, and how long others wait. */
const TURN_BYTES = 1_048_576;
/** A receiver that refuses so many in a row and takes none is not refusing events: it is not what it should be. */
const REFUSED_IN_A_ROW = 20;
/** Eight failures in a row are about four minutes: somebody should know. */
const TOLD_AFTER_FAILURES = 8;
const LONGEST_PAUSE_SECONDS = 300;
const SENDER = { type: 'system', id: 'siem' } as const;
const REFUSED = 'audit.delivery_refused';

/** A destination with what is needed to send to it. */
interface Sender {
  readonly limits: ReceiverLimits;
  encode(event: OcsfEvent): Buffer;
  send(batch: readonly Encoded[]): Promise<Verdict>;
}

/** What one turn is about. */
interface Turn {
  readonly cell: Cell;
  readonly tenant: TenantRef;
  readonly lease: DeliveryLease;
  readonly exported: readonly ExportedEvent[];
}

/** What became of a turn: whether there may be more to send at once. */
export type TurnResult = 'more' | 'waits';

/**
 * One turn of one destination: the next events of the log, sent in their order, and noted as sent only after the receiver
 * has taken them. A process that dies in between sends them again, with the same ids.
 */
@Injectable()
export class Deliver {
  constructor(
    private readonly database: TenantDatabase,
    private readonly exportLog: ExportLog,
    private readonly events: EventRecorder,
    private readonly deliveries: Deliveries,
    private readonly http: OutgoingHttp,
  ) {}

  async turn(cell: Cell, lease: DeliveryLease, stop: AbortSignal): Promise<TurnResult> {
    const tenant = cell.tenant(lease.tenant);
    try {
      const destination = await this.database.within(tenant, () =>
        this.database.repository(DestinationEntity).findOneBy({ id: lease.destination }),
      );
      if (!destination) {
        await this.deliveries.forget(cell, lease);
        return 'waits';
      }
      if (destination.paused) {
        await this.deliveries.park(cell, lease);
        return 'waits';
      }
      const sender = this.sender(destination);
      const exported = await this.exportLog.after(tenant, lease.seq, TURN_BYTES, hasReadableParts);
      const { personalData } = destination.settings;
      const encoded = exported.map((event) => ({
        seq: event.seq,
        bytes: sender.encode(ocsfEvent(event, { personalData })),
      }));
      const result = await this.#send({ cell, tenant, lease, exported }, sender, encoded, stop);
      if (result === 'more') {
        if (!stop.aborted) await this.#sendCheckpoint(cell, lease, sender, exported.at(-1)?.seq ?? lease.seq);
        await this.deliveries.release(cell, lease);
      }
      return result;
    } catch (error) {
      if (error instanceof KeysDestroyed) {
        // Where it is sent to went with the keys: it waits until somebody says so anew.
        await this.deliveries.park(cell, lease);
        return 'waits';
      }
      await this.#failed({ cell, tenant, lease }, 'UNAVAILABLE');
      throw error;
    }
  }

  /** Within or without a tenant's scope: what it needs was loaded with the destination. */
  sender(destination: DestinationEntity): Sender {
    const receiver = receiverOf(destination, new Date());
    if (!receiver) {
      const send = async (batch: readonly Encoded[]): Promise<Verdict> => {
        await writeLines(batch, process.stdout);
        return { kind: 'accepted' };
      };
      return { limits: LINE_LIMITS, encode: logLine, send };
    }
    return {
      limits: receiver.limits,
      encode: (event) => receiver.encode(event),
      send: async (batch) => {
        try {
          return receiver.judge(await this.http.post(receiver.request(batch, new Date())));
        } catch (error) {
          return { kind: 'later', error: reasonOf(error) };
        }
      },
    };
  }

  async #send(
    turn: Turn,
    sender: Sender,
    encoded: readonly Encoded[],
    stop: AbortSignal,
  ): Promise<TurnResult> {
    const { batches, tooLarge } = batchesOf(encoded, sender.limits);
    const dead: DeadLetter[] = tooLarge.map(({ seq }) => ({ seq, reason: 'TOO_LARGE' }));
    const waiting = [...batches];
    let inARow = 0;
    for (let batch = waiting.shift(); batch; batch = waiting.shift()) {
      if (stop.aborted) return 'more';
      if (!(await this.deliveries.renew(turn.cell, turn.lease))) return 'waits';
      const verdict = await sender.send(batch);
      if (verdict.kind === 'later') return this.#failed(turn, verdict.error, verdict.afterSeconds);
      if (verdict.kind === 'accepted') {
        inARow = 0;
        await this.#advance(turn, batch.at(-1)?.seq ?? turn.lease.seq, dead);
        continue;
      }
      const refused = refusedOf(batch, verdict);
      if (!refused) {
        const middle = Math.ceil(batch.length / 2);
        waiting.unshift(batch.slice(0, middle), batch.slice(middle));
        continue;
      }
      inARow += 1;
      if (inARow >= REFUSED_IN_A_ROW) return this.#failed(turn, 'REFUSES_EVERYTHING');
      dead.push({ seq: refused.seq, reason: verdict.error });
      const others = batch.filter((event) => event !== refused);
      if (others.length > 0) waiting.unshift(others);
    }
    // What is left to note: events refused at the end of the turn.
    const last = encoded.at(-1);
    if (last && dead.length > 0) await this.#advance(turn, last.seq, dead);
    return 'more';
  }

  /** Goes with the events that it covers. One that is not taken now is overtaken by the next, and none is ever missed. */
  async #sendCheckpoint(cell: Cell, lease: DeliveryLease, sender: Sender, through: number): Promise<void> {
    const newest = await this.deliveries.newestCheckpoint(cell, lease, through);
    if (!newest || !(await this.deliveries.renew(cell, lease))) return;
    const { size } = newest;
    const bytes = sender.encode(checkpointEvent(lease.tenant, newest));
    const { kind } = await sender.send([{ seq: size, name: `checkpoint-${size}`, bytes }]);
    if (kind !== 'later') await this.deliveries.noteCheckpoint(cell, lease, size);
  }

  /** The event that tells of what was refused comes first: it may be recorded twice, and is never missing. */
  async #advance({ cell, tenant, lease, exported }: Turn, seq: number, dead: DeadLetter[]): Promise<void> {
    const given = dead.filter((one) => one.seq <= seq);
    // Of a refused word about what was refused nothing is said: the receiver would refuse that as well, for ever.
    const worth = given.filter((one) => !saysRefused(exported, one.seq));
    const [first] = worth;
    if (first) await this.events.record(tenant, told(lease, REFUSED, { refused: worth.length, ...first }));
    await this.deliveries.advance(cell, lease, seq, given);
    dead.splice(0, dead.length, ...dead.filter((one) => one.seq > seq));
  }

  async #failed(
    { cell, tenant, lease }: Omit<Turn, 'exported'>,
    error: string,
    afterSeconds = 0,
  ): Promise<'waits'> {
    if (lease.failures + 1 === TOLD_AFTER_FAILURES)
      await this.events.record(tenant, told(lease, 'audit.delivery_failing', { error }));
    const pause = Math.min(2 ** Math.min(lease.failures, 20), LONGEST_PAUSE_SECONDS);
    // Jitter, so that many destinations of one receiver do not come back at once.
    const backoff = pause * (0.5 + Math.random() / 2);
    await this.deliveries.postpone(cell, lease, error, Math.max(backoff, afterSeconds));
    return 'waits';
  }
}

/** The event that is refused; undefined where it is one of several, and not known which. */
function refusedOf(batch: readonly Encoded[], verdict: Verdict): Encoded | undefined {
  if (verdict.kind === 'refused_event' && batch[verdict.index]) return batch[verdict.index];
  return batch.length === 1 ? batch[0] : undefined;
}

function saysRefused(exported: readonly ExportedEvent[], seq: number): boolean {
  const event = exported.find((one) => one.seq === seq);
  return event !== undefined && event.event.includes(`"action":"${REFUSED}"`);
}

function told(
  { destination, seq }: DeliveryLease,
  action: 'audit.delivery_refused' | 'audit.delivery_failing',
  changes: Record<string, unknown>,
): AuditEvent {
  return {
    action,
    actor: SENDER,
    outcome: 'failure',
    resource: { type: 'audit_destination', id: destination },
    changes: { deliveredThrough: seq, ...changes },
  };
}

/** In words that may be shown: never an address that a name resolved to. */
function reasonOf(error: unknown): string {
  const { name, code } = error as { name?: unknown; code?: unknown };
  if (name === 'EgressError' && typeof code === 'string') return code;
  return name === 'TimeoutError' ? 'TIMEOUT' : 'UNREACHABLE';
}
