import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Authority, ProvidedUsers, type UserEntity } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { FindSubject } from './find-subject.js';
import type { Effect, SecurityEvent } from './security-event.js';
import { SetRefused } from './shared-signals.errors.js';
import type { TransmitterRow } from './transmitter-row.js';
import { Transmitters } from './transmitters.js';
import { VerifySet } from './verify-set.js';

/** What became of one person. */
interface Outcome {
  readonly user: string;
  readonly sessionsEnded?: number;
  readonly disabled?: true;
  /** Why nothing did. */
  readonly kept?: 'role_above_transmitter' | 'last_owner';
}

/** Takes a security event: what it ends, that it has come, and the event that tells of it commit together. */
@Injectable()
export class ReceiveSet {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly transmitters: Transmitters,
    private readonly verify: VerifySet,
    private readonly subjects: FindSubject,
    private readonly users: ProvidedUsers,
    private readonly authority: Authority,
  ) {}

  /** @throws {SetRefused | ServiceUnavailable} */
  async execute({ id }: Actor, token: unknown): Promise<void> {
    auditDetails({ resource: { type: 'signal_transmitter', id } });
    if (typeof token !== 'string')
      throw new SetRefused('invalid_request', 'The body must be a security event token.');
    const transmitter = await this.transmitters.find(id);
    const { event, jti, until } = await this.verify.execute(transmitter, token);
    await this.work.run(async () => {
      const changes = { events: event.types };
      auditDetails({ changes });
      // Transmitters send again what they have no answer to: it is taken, and has been done.
      if (await this.#first(id, jti, until)) await this.#apply(transmitter, event);
      else auditDetails({ changes: { ...changes, repeated: true } });
    });
  }

  /** Notes in the running transaction that it has come; false where it had before. */
  async #first(id: string, jti: string, until: Date): Promise<boolean> {
    await this.database.query({ text: 'DELETE FROM signals_seen WHERE expires_at <= now()', values: [] });
    const { rowCount } = await this.database.execute({
      text: 'INSERT INTO signals_seen (key, expires_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING',
      values: [hash('sha256', JSON.stringify([id, jti]), 'buffer'), until],
    });
    return rowCount === 1;
  }

  async #apply(transmitter: TransmitterRow, event: SecurityEvent): Promise<void> {
    const { types: events, effect, subject, verified, streamStatus } = event;
    if (verified !== undefined) return this.transmitters.noteVerified(transmitter.id, verified);
    if (streamStatus !== undefined) return this.transmitters.noteStatus(transmitter.id, streamStatus);
    if (!subject) return;
    const people = await this.subjects.execute(transmitter, subject);
    if (people.length === 0)
      return auditDetails({ changes: { events, subject: 'unknown' }, personal: { subject } });
    const outcomes: Outcome[] = [];
    for (const person of people) outcomes.push(...(await this.#affect(transmitter, person, effect)));
    const [only] = outcomes;
    if (only && outcomes.length === 1)
      auditDetails({ resource: { type: 'user', id: only.user }, subject: only.user });
    auditDetails({ changes: { events, transmitter: transmitter.id, effect, outcomes } });
    if (outcomes.some(({ disabled }) => disabled)) auditDetails({ action: 'signal.person_disabled' });
    else if (outcomes.some(({ sessionsEnded }) => sessionsEnded !== undefined))
      auditDetails({ action: 'signal.sessions_ended' });
    else if (outcomes.some(({ kept }) => kept)) auditDetails({ outcome: 'denied' });
  }

  async #affect({ highest_role }: TransmitterRow, id: string, effect: Effect): Promise<Outcome[]> {
    const held = await this.#locked(id);
    if (!held) return [];
    const { user, soleOwner } = held;
    if (effect === 'none') return [{ user: id }];
    // Whoever sets a transmitter, and signs its events, could otherwise end the access of those above.
    if (await this.authority.isPersonAbove(user, highest_role))
      return [{ user: id, kept: 'role_above_transmitter' }];
    if (effect !== 'disable') {
      const sessionsEnded = await this.users.endSessions(user, effect === 'distrust');
      return [{ user: id, sessionsEnded }];
    }
    if (soleOwner && user.status === 'active') return [{ user: id, kept: 'last_owner' }];
    return [{ user: id, ...((await this.users.setActive(held, false)) && { disabled: true }) }];
  }

  async #locked(id: string): Promise<{ user: UserEntity; soleOwner: boolean } | undefined> {
    try {
      return await this.users.locked(id);
    } catch (error) {
      // Erased since.
      if (error instanceof ResourceNotFound) return undefined;
      throw error;
    }
  }
}
