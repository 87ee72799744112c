import { Injectable } from '@nestjs/common';
import { chainHash, leafHash } from '@waxell/transparency';
import { RaiseAlerts, type Finding, type Raised } from '../alerts/index.js';
import {
  EventRecorder,
  ExportLog,
  hasReadableParts,
  readEvent,
  type AuditEvent,
  type EventBody,
  type ExportedEvent,
  type FollowedEvent,
} from '../audit/index.js';
import { FieldEncryption } from '../encryption/index.js';
import { TenantDatabase, type TenantRef } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';
import { Detector } from './detector.js';
import { DetectionRules } from './detection-rules.js';
import { DetectionStates, type DetectionState } from './detection-state.js';
import type { ObservedEvent } from './observed-event.js';
import { networkOf } from './network.js';
import { RULES, type DetectionSettings } from './rule-catalogue.js';

/** Bytes of events that are looked at in one transaction. */
const PAGE_BYTES = 524_288;
/** What happened longer ago is told as late: whoever reads it should not think that it happens now. */
const LATE_SECONDS = 86_400;
/** What happened longer ago teaches what is usual, and alarms nobody any more. */
const OLD_SECONDS = 7 * 86_400;
const DETECTION = { type: 'system', id: 'detection' } as const;

/** A log that does not go on from where it was. */
interface Break {
  readonly seq: number;
  readonly kind: 'chain_broken' | 'log_truncated';
}

export interface Look {
  readonly seq: number;
  readonly more: boolean;
  readonly events: readonly FollowedEvent[];
  /** Events that are not as events are written; they were looked at as far as they can be told. */
  readonly odd: number;
}

interface Observing {
  readonly event: ObservedEvent;
  readonly odd: boolean;
}

/**
 * Looks at what a log has grown by. How far it has looked, what it remembers, the alerts and the event that tells of them
 * are one transaction: a process that dies in between has done nothing, and the next one finds the same.
 */
@Injectable()
export class Detect {
  constructor(
    private readonly database: TenantDatabase,
    private readonly exportLog: ExportLog,
    private readonly encryption: FieldEncryption,
    private readonly events: EventRecorder,
    private readonly rules: DetectionRules,
    private readonly states: DetectionStates,
    private readonly alerts: RaiseAlerts,
    private readonly work: UnitOfWork,
  ) {}

  /** Looks at one page; answers up to where the log was looked at, whether there may be more, and what was read. */
  look(tenant: TenantRef, head: number): Promise<Look> {
    return this.database.within(tenant, async () => {
      const [state, settings] = await Promise.all([this.states.load(), this.rules.settings()]);
      const page = await this.exportLog.after(tenant, state.seq, PAGE_BYTES, isOpened);
      const last = page.at(-1);
      const walk = walkOf(state, page, head);
      if (walk.broken) await this.#tellInstallation(tenant, walk.broken);
      if (!last && !walk.broken) return { seq: state.seq, more: false, events: [], odd: 0 };
      const observing = await Promise.all(page.map((one) => this.#observed(tenant, one)));
      const observed = observing.map(({ event }) => event);
      const findings = this.#findings(state, settings, observed, walk.broken);
      const seq = last?.seq ?? head;
      await this.#commit(state, seq, walk.chain, findings);
      return { seq, more: seq < head, events: observed, odd: observing.filter(({ odd }) => odd).length };
    });
  }

  #findings(
    { memory }: DetectionState,
    settings: DetectionSettings,
    observed: readonly ObservedEvent[],
    broken: Break | undefined,
  ): Finding[] {
    const detector = new Detector(memory, settings);
    const now = Math.floor(Date.now() / 1_000);
    const found = observed.flatMap((event) => {
      const at = memory.timeOf(event.at, now);
      const findings = detector.observe({ ...event, at });
      if (at < now - OLD_SECONDS) return [];
      return at < now - LATE_SECONDS ? findings.map((finding) => late(finding, at)) : findings;
    });
    return broken && settings.get('audit.chain')?.enabled !== false
      ? [...found, brokenFinding(broken, settings)]
      : found;
  }

  async #commit(
    state: DetectionState,
    seq: number,
    chain: Buffer,
    findings: readonly Finding[],
  ): Promise<void> {
    if (findings.length === 0) {
      await this.work.bookkeeping('how far the log was looked at is no event of it', () =>
        this.states.save(state, seq, chain),
      );
      return;
    }
    await this.work.runAs(raisedEvent, async () => {
      await this.states.save(state, seq, chain);
      return { raised: await this.alerts.raise(findings), found: findings.length };
    });
  }

  /** Before the tenant's own alert commits: repeated, it is one more event of what is still so. */
  async #tellInstallation(tenant: TenantRef, { seq, kind }: Break): Promise<void> {
    await this.events.record(undefined, {
      action: 'audit.chain_broken',
      actor: DETECTION,
      outcome: 'failure',
      resource: { type: 'tenant', id: tenant.id },
      changes: { seq, kind },
    });
  }

  async #observed(tenant: TenantRef, { seq, event, personal, person }: ExportedEvent): Promise<Observing> {
    const { body, odd } = readEvent(event);
    const at = Math.floor(Date.parse(body.at) / 1_000);
    if (!namesSomebody(body)) return { event: { seq, at, body, subject: {} }, odd };
    const [email, ip] = [text(personal, 'email')?.trim().toLowerCase(), text(personal, 'ip')];
    const named = {
      seq,
      at,
      body,
      // Of somebody who is known nothing is remembered that follows from the address: it is forgotten with the person.
      ...((person ?? email) !== undefined && {
        account: await this.#hash(tenant, 'account', person ?? email ?? ''),
      }),
      ...(ip !== undefined && {
        address: await this.#hash(tenant, 'address', ip),
        network: await this.#hash(tenant, 'network', networkOf(ip)),
      }),
      subject: { ...(email !== undefined && { email }), ...(ip !== undefined && { ip }) },
      ...(person !== undefined && { person }),
    };
    return { event: named, odd };
  }

  async #hash(tenant: TenantRef, column: string, value: string): Promise<string> {
    const index = await this.encryption.pseudonym(tenant, `detection ${column}`, value);
    return index.toString('base64url').slice(0, 22);
  }
}

/** Whom an event concerns, and from where, is looked at of sign-ins alone: opening it is most of the work. */
function isOpened(body: EventBody): boolean {
  return namesSomebody(body) && hasReadableParts(body);
}

function namesSomebody({ action }: EventBody): boolean {
  return action === 'session.created';
}

/** Nobody looks at it as it happens. */
function late(finding: Finding, at: number): Finding {
  const happenedAt = new Date(at * 1_000).toISOString();
  return { ...finding, details: { ...finding.details, late: true, happenedAt } };
}

/** Follows the chain from where it was left: each link from the one before, and none that is gone. */
function walkOf(
  { seq, chain }: DetectionState,
  page: readonly ExportedEvent[],
  head: number,
): { readonly chain: Buffer; readonly broken?: Break } {
  // What was looked at once is not there any more.
  if (page.length === 0)
    return { chain, ...(head < seq && { broken: { seq: head, kind: 'log_truncated' } }) };
  // Of a log that is looked at for the first time, the beginning may have been kept its time and be gone.
  const begun = seq === 0 ? (page[0]?.seq ?? 1) - 1 : seq;
  let link = chain;
  let broken: Break | undefined;
  for (const [at, one] of page.entries()) {
    const next = chainHash(link, one.seq, leafHash(Buffer.from(one.event)));
    const stored = Buffer.from(one.chainHash, 'hex');
    const follows = one.seq === begun + at + 1 && (next.equals(stored) || (at === 0 && begun > seq));
    if (!broken && !follows) broken = { seq: one.seq, kind: 'chain_broken' };
    // After a break it goes on from what is there: the next one is another.
    link = stored;
  }
  return { chain: link, ...(broken && { broken }) };
}

function brokenFinding({ seq, kind }: Break, settings: DetectionSettings): Finding {
  return {
    rule: 'audit.chain',
    key: 'followed',
    severity: settings.get('audit.chain')?.severity ?? RULES['audit.chain'].severity,
    title: 'The audit log is not as it was written',
    details: { seq, kind },
    seq,
  };
}

function raisedEvent({ raised, found }: { readonly raised: Raised; readonly found: number }): AuditEvent {
  const { opened, reopened } = raised;
  const [first] = [...opened, ...reopened];
  return {
    action: 'alert.raised',
    actor: DETECTION,
    outcome: 'success',
    ...(first && { resource: { type: 'alert', id: first.id } }),
    changes: {
      found,
      ...(first && { title: first.title, rule: first.rule }),
      alerts: opened.map(({ id, rule, severity }) => ({ id, rule, severity })),
      ...(reopened.length > 0 && {
        reopened: reopened.map(({ id, rule, severity }) => ({ id, rule, severity })),
      }),
    },
  };
}

function text(personal: Record<string, unknown> | undefined, name: string): string | undefined {
  const value = personal?.[name];
  return typeof value === 'string' ? value : undefined;
}
