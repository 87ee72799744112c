import { Injectable } from '@nestjs/common';
import { LessThan } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { cancelRuns, secretHash, UserEntity } from '../auth/index.js';
import { Sealed } from '../encryption/index.js';
import { announce, currentTenant, isTenantId, TenantDatabase } from '../platform/database/index.js';
import { newKey } from '../platform/http/credential.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { requireServed, TenantRegistry, type Tenant } from '../tenancy/index.js';
import type {
  ImpersonationDto,
  RequestedImpersonationDto,
  RequestImpersonationDto,
  WithdrawImpersonationDto,
} from './impersonation.dto.js';
import { ImpersonationEntity } from './impersonation.entity.js';
import { ImpersonationNotPending, TooManyImpersonations } from './impersonation.errors.js';
import { ImpersonationSettings } from './impersonation-settings.js';

const MINUTE_MS = 60_000;
/** What nobody has approved for so long is not what was meant any more. */
const PENDING_MS = 24 * 60 * MINUTE_MS;
const MOST_OPEN = 10;
const OPEN = `ended_at IS NULL AND (expires_at IS NULL AND requested_at > now() - interval '1 day' OR expires_at > now())`;

/** The operator's support, acting for a person of an organisation for a while, as far as the organisation lets it. */
@Injectable()
export class Impersonations {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly tenants: TenantRegistry,
    private readonly settings: ImpersonationSettings,
  ) {}

  /** Asked for by the operator. It begins at once where the organisation allows that, or when an Owner approves it. */
  async request(body: RequestImpersonationDto): Promise<RequestedImpersonationDto> {
    const tenant = await this.#tenant(body.tenant);
    requireServed(tenant, undefined);
    return this.database.within(tenant, () =>
      this.work.run(async () => {
        const { userId, supportPerson, reason, minutes, writes = false } = body;
        await this.#requirePerson(userId);
        await this.#requireRoom();
        const key = newKey(tenant.id);
        const now = new Date();
        const begins = await this.settings.allows(writes);
        const impersonations = this.database.repository(ImpersonationEntity);
        const created = impersonations.create({
          id: uuidv7(),
          userId,
          supportPerson: Sealed.of(supportPerson),
          reason: Sealed.of(reason),
          writes,
          minutes,
          secretHash: secretHash(key),
          requestedAt: now,
          approvedBy: null,
          startedAt: begins ? now : null,
          expiresAt: begins ? endOf(now, minutes) : null,
          endedAt: null,
        });
        auditDetails({
          resource: resource(created.id),
          changes: { as: userId, writes, minutes, begun: begins },
          personal: { supportPerson, reason },
        });
        await impersonations.insert(created);
        return { ...impersonationDto(created), key };
      }),
    );
  }

  async list({ cursor, limit }: PageQuery): Promise<Page<ImpersonationDto>> {
    const before = cursorKey(cursor, UUID_KEY);
    const rows = await this.database.repository(ImpersonationEntity).find({
      where: before ? { id: LessThan(before) } : {},
      order: { id: 'DESC' },
      take: limit + 1,
    });
    return pageOf(rows, limit, ({ id }) => id, impersonationDto);
  }

  /** An Owner lets one begin that was asked for. */
  async approve(actor: Actor, id: string): Promise<ImpersonationDto> {
    return this.work.run(async () => {
      const found = await this.#locked(id);
      const now = new Date();
      const pending = !found.startedAt && !found.endedAt;
      if (!pending || now.getTime() - found.requestedAt.getTime() > PENDING_MS)
        throw new ImpersonationNotPending();
      await this.#requirePerson(found.userId);
      Object.assign(found, {
        approvedBy: actor.id,
        startedAt: now,
        expiresAt: endOf(now, found.minutes),
      });
      auditDetails({ resource: resource(id), changes: { as: found.userId, writes: found.writes } });
      return impersonationDto(await this.database.repository(ImpersonationEntity).save(found));
    });
  }

  /** Ends one, or refuses one that was asked for; on every process within a second. Ending twice is no error. */
  async end(id: string, by: 'organisation' | 'support' = 'organisation'): Promise<void> {
    await this.work.run(async () => {
      const found = await this.#locked(id);
      auditDetails({ resource: resource(id), changes: { as: found.userId, by } });
      if (found.endedAt) return;
      await this.database.repository(ImpersonationEntity).save(Object.assign(found, { endedAt: new Date() }));
      await this.database.query(cancelRuns(id));
      await this.database.query(announce({ kind: 'impersonation', tenant: currentTenant().id, id }));
    });
  }

  /** The operator, who has asked for it, needs it no longer. */
  async withdraw(id: string, { tenant: name }: WithdrawImpersonationDto): Promise<void> {
    const tenant = await this.#tenant(name);
    // A suspended one may be resumed before the time is over: what support had there would be alive again.
    if (tenant.status !== 'suspended') requireServed(tenant, undefined);
    await this.database.within(tenant, () => this.end(id, 'support'));
  }

  /** Whoever acts by it needs it no longer, and need not have the operator's key to say so. */
  async leave({ type, id }: Actor): Promise<void> {
    if (type !== 'support') throw new ResourceNotFound('impersonation');
    await this.end(id, 'support');
  }

  async #tenant(name: string): Promise<Tenant> {
    const named = name.toLowerCase();
    const tenant = isTenantId(named) ? await this.tenants.byId(named) : await this.tenants.bySlug(named);
    if (!tenant) throw new ResourceNotFound('organisation');
    return tenant;
  }

  /** Somebody who could sign in. */
  async #requirePerson(id: string): Promise<void> {
    const person = await this.database.repository(UserEntity).existsBy({ id, status: 'active' });
    if (!person) throw new ResourceNotFound('user');
  }

  /** One that is asked for beside this one is not counted: the limit is there for order, not for safety. */
  async #requireRoom(): Promise<void> {
    const [{ open } = { open: 0 }] = await this.database.query<{ open: number }>({
      text: `SELECT count(*)::int AS open FROM impersonations WHERE ${OPEN}`,
      values: [],
    });
    if (open >= MOST_OPEN) throw new TooManyImpersonations(MOST_OPEN);
  }

  async #locked(id: string): Promise<ImpersonationEntity> {
    const found = await this.database
      .repository(ImpersonationEntity)
      .findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
    if (!found) throw new ResourceNotFound('impersonation');
    return found;
  }
}

function endOf(start: Date, minutes: number): Date {
  return new Date(start.getTime() + minutes * MINUTE_MS);
}

function stateOf({ startedAt, expiresAt, endedAt }: ImpersonationEntity): string {
  if (endedAt || (expiresAt && expiresAt.getTime() <= Date.now())) return 'ended';
  return startedAt ? 'active' : 'requested';
}

function impersonationDto(found: ImpersonationEntity): ImpersonationDto {
  const { id, userId, writes, minutes, approvedBy } = found;
  return {
    id,
    userId,
    supportPerson: found.supportPerson.reveal(),
    reason: found.reason.reveal(),
    writes,
    minutes,
    state: stateOf(found),
    requestedAt: found.requestedAt.toISOString(),
    ...(approvedBy !== null && { approvedBy }),
    ...(found.startedAt && { startedAt: found.startedAt.toISOString() }),
    ...(found.expiresAt && { expiresAt: found.expiresAt.toISOString() }),
    ...(found.endedAt && { endedAt: found.endedAt.toISOString() }),
  };
}

function resource(id: string): { type: string; id: string } {
  return { type: 'impersonation', id };
}
