import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { coldKey } from '../audit/index.js';
import { tenantId, type Cell, type TenantRef } from '../platform/database/index.js';
import { RetainedObjects, TenantObjects } from '../platform/objects/index.js';
import { Log } from '../platform/observability/log.js';
import { ExpireRange, type DueRange } from './expire-range.js';
import { RetentionPolicy, type Retention } from './retention-policy.js';

const PAGE = 500;

interface Row {
  tenant: string;
  first: string;
  last: string;
  appended_before: Date;
}

interface Aged extends Row {
  /** In days. */
  age: string;
}

/**
 * What happens to objects of cold logs as time goes by: a longer time is put on them, a hold is put on and lifted, and at
 * last they are deleted, from the beginning of the log on. Where chain and tree stood stays: the rest is verified from there.
 */
@Injectable()
export class ExpireLogs {
  constructor(
    private readonly policy: RetentionPolicy,
    private readonly objects: TenantObjects,
    private readonly range: ExpireRange,
    private readonly retained: RetainedObjects,
    private readonly log: Log,
  ) {}

  async execute(
    cell: Cell,
    owner: pg.Client,
    policies: ReadonlyMap<string, Retention>,
    signal: AbortSignal,
  ): Promise<void> {
    const held = await owner.query<{ tenant: string }>('SELECT DISTINCT tenant FROM audit.cold WHERE held');
    for (const id of new Set([...policies.keys(), ...held.rows.map(({ tenant }) => tenant)])) {
      const tenant = cell.tenant(tenantId(id));
      if (!this.objects.canLock(tenant)) continue;
      const retention = policies.get(id) ?? this.policy.usual;
      await this.#byItself(tenant, signal, async () => {
        await this.#hold(owner, tenant, retention.held, signal);
        await this.#lengthen(owner, tenant, retention.coldDays, signal);
        return true;
      });
    }
    await owner.query('DELETE FROM audit.restores WHERE expires_at < now()');
    await this.#expire(cell, owner, policies, signal);
    while ((await this.retained.sweep(cell.name)) > 0) signal.throwIfAborted();
  }

  /** An object that cannot be had keeps only its own organisation's from what is due; it is looked at again in the next round. */
  async #byItself(tenant: TenantRef, signal: AbortSignal, work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw error;
      this.log.error('objects of a cold log could not be held, locked or deleted', error, {
        tenant: tenant.id,
      });
      return false;
    }
  }

  async #hold(owner: pg.Client, tenant: TenantRef, held: boolean, signal: AbortSignal): Promise<void> {
    const other = `SELECT tenant, first, last, appended_before FROM audit.cold
      WHERE tenant = $1 AND held <> $2 AND expired_at IS NULL ORDER BY first LIMIT ${PAGE}`;
    for (let rows: Row[]; ({ rows } = await owner.query<Row>(other, [tenant.id, held])) && rows.length > 0;)
      for (const row of rows) {
        signal.throwIfAborted();
        await this.objects.hold(tenant, keyOf(row), held);
        const text = 'UPDATE audit.cold SET held = $3 WHERE tenant = $1 AND first = $2';
        await owner.query(text, [tenant.id, row.first, held]);
      }
  }

  /** Where an organisation keeps its log for longer now. What is locked is never unlocked sooner. */
  async #lengthen(owner: pg.Client, tenant: TenantRef, days: number, signal: AbortSignal): Promise<void> {
    const shorter = `SELECT tenant, first, last, appended_before + make_interval(days => $2) AS appended_before FROM audit.cold
      WHERE tenant = $1 AND expired_at IS NULL AND locked_until < appended_before + make_interval(days => $2)
      ORDER BY first LIMIT ${PAGE}`;
    for (let rows: Row[]; ({ rows } = await owner.query<Row>(shorter, [tenant.id, days])) && rows.length > 0;)
      for (const row of rows) {
        signal.throwIfAborted();
        const until = row.appended_before;
        if (until.getTime() > Date.now()) await this.objects.extendLock(tenant, keyOf(row), until);
        const text = 'UPDATE audit.cold SET locked_until = $3 WHERE tenant = $1 AND first = $2';
        await owner.query(text, [tenant.id, row.first, until]);
      }
  }

  /** By the database's clock, and by the lock: an object that is locked is left for the next time. */
  async #expire(
    cell: Cell,
    owner: pg.Client,
    policies: ReadonlyMap<string, Retention>,
    signal: AbortSignal,
  ): Promise<void> {
    const old = `SELECT tenant, first, last, appended_before, EXTRACT(epoch FROM now() - appended_before) / 86400 AS age
      FROM audit.cold WHERE published AND expired_at IS NULL AND appended_before < now() - make_interval(days => $1)
        AND (tenant, first) > ($2, $3) ORDER BY tenant, first LIMIT ${PAGE}`;
    for (let [after, first, kept] = ['', '0', '']; ;) {
      const { rows } = await owner.query<Aged>(old, [this.policy.usual.coldDays, after, first]);
      for (const row of rows) {
        signal.throwIfAborted();
        const { held, coldDays } = policies.get(row.tenant) ?? this.policy.usual;
        // From the beginning: what comes after an object that stays, stays.
        if (row.tenant === kept || held || Number(row.age) < coldDays) kept = row.tenant;
        else {
          const tenant = cell.tenant(tenantId(row.tenant));
          const gone = await this.#byItself(tenant, signal, () => this.#delete(owner, tenant, row));
          if (!gone) kept = row.tenant;
        }
      }
      const end = rows.at(-1);
      if (!end || rows.length < PAGE) return;
      [after, first] = [end.tenant, end.first];
    }
  }

  /** By what holds now: a hold, or a longer time, may have been set since the round began. */
  #delete(owner: pg.Client, tenant: TenantRef, row: Aged): Promise<boolean> {
    return this.policy.settled(tenant.id, async ({ held, coldDays }) => {
      if (held || Number(row.age) < coldDays) return false;
      return this.range.execute(owner, tenant, rangeOf(row));
    });
  }
}

function rangeOf({ first, last }: Row): DueRange {
  return { first: Number(first), last: Number(last) };
}

function keyOf(row: Row): string {
  return coldKey(rangeOf(row));
}
