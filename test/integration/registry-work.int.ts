import { randomBytes } from 'node:crypto';
import { canonicalEvent, newEventId, type AuditEvent } from '../../src/audit/audit-event.js';
import type { EventRecorder } from '../../src/audit/index.js';
import {
  PLATFORM_TENANT,
  tenantId,
  type Statement,
  type TenantId,
} from '../../src/platform/database/index.js';
import { RegistryTransactions } from '../../src/platform/database/registry-transactions.js';
import { RegistryWork } from '../../src/requests/index.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { connectAs, openTestDatabase, type TestDatabase } from '../support/test-database.js';

const EVENT: AuditEvent = {
  action: 'rate_limits.updated',
  actor: { type: 'operator', id: 'operator' },
  outcome: 'success',
};

describe('a change to a tenant in the registry', () => {
  let db: TestDatabase;
  let tenants: [TenantId, TenantId];
  const heard: string[] = [];

  beforeAll(async () => {
    db = await openTestDatabase();
    // Events are taken from those who live here.
    await db.provisioning.createTenant(db.cells.home.tenant(PLATFORM_TENANT));
    const listener = await connectAs(db.url, 'control');
    listener.on('notification', ({ payload }) => heard.push(payload ?? ''));
    await listener.query('LISTEN waxell');
    closing.push(() => listener.end());
  });
  afterAll(async () => {
    for (const close of closing) await close();
    await db.close();
  });
  beforeEach(async () => {
    heard.length = 0;
    const made = Array.from({ length: 2 }, () => tenantId(`t_${randomBytes(8).toString('hex')}`));
    for (const id of made)
      await db.superuser.query(
        `INSERT INTO control.tenants (id, slug, name, region, cell, status) VALUES ($1, $2, 'x', 'eu-test-1', 'eu-test-1-c1', 'active')`,
        [id, `s${id.slice(2)}`],
      );
    tenants = made as [TenantId, TenantId];
    await db.superuser.query('DELETE FROM audit.outbox');
  });
  const closing: (() => Promise<void>)[] = [];

  /** The recorder's part in it, whose statement a test may break. */
  function registry(statement?: Statement): RegistryWork {
    const platform = db.cells.home.tenant(PLATFORM_TENANT);
    const recorder: Pick<EventRecorder, 'recordInRegistry' | 'committed'> = {
      recordInRegistry: async (transaction, event) => {
        const { bytes } = canonicalEvent(newEventId(), platform, event, undefined);
        const text = 'INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)';
        await transaction.query(statement ?? { text, values: [PLATFORM_TENANT, bytes] });
      },
      committed: () => undefined,
    };
    return new RegistryWork(new RegistryTransactions(db.cells), recorder as EventRecorder, db.cells);
  }

  const change = (at: RegistryWork, id: TenantId, fail = false): Promise<number> =>
    at.runAs(
      id,
      () => EVENT,
      async (transaction) => {
        await transaction.query({
          text: `UPDATE control.tenants SET rate_limits = '{}', rate_limits_version = rate_limits_version + 1 WHERE id = $1`,
          values: [id],
        });
        if (fail) throw new Error('changed its mind');
        return 1;
      },
    );

  async function state(): Promise<{ versions: number[]; events: string[] }> {
    const { rows } = await db.superuser.query<{ version: number }>(
      'SELECT rate_limits_version AS version FROM control.tenants WHERE id = ANY($1) ORDER BY id = $2 DESC',
      [tenants, tenants[0]],
    );
    const outbox = await db.superuser.query<{ tenant: string }>('SELECT tenant FROM audit.outbox');
    return { versions: rows.map(({ version }) => version), events: outbox.rows.map(({ tenant }) => tenant) };
  }

  it('commits with its event and is announced then, and touches no other tenant', async () => {
    await change(registry(), tenants[0]);
    expect(await state()).toEqual({ versions: [1, 0], events: [PLATFORM_TENANT] });
    await expect
      .poll(() => heard.map((text) => JSON.parse(text) as unknown))
      .toEqual([{ kind: 'tenant', tenant: tenants[0], id: tenants[0] }]);
  });

  it('is undone where its event cannot be recorded, and nobody hears of it', async () => {
    const broken = {
      text: 'INSERT INTO audit.outbox (tenant, event) VALUES ($1, NULL)',
      values: [PLATFORM_TENANT],
    };
    await expect(change(registry(broken), tenants[0])).rejects.toThrow('null value');
    expect(await state()).toEqual({ versions: [0, 0], events: [] });
    // Whatever was announced before this would have been heard by now.
    await change(registry(), tenants[1]);
    await eventually(async () => expect(heard).toHaveLength(1), 30_000);
    expect(heard[0]).toContain(tenants[1]);
  });

  it('has no event where it was not made', async () => {
    await expect(change(registry(), tenants[0], true)).rejects.toThrow('changed its mind');
    expect(await state()).toEqual({ versions: [0, 0], events: [] });
  });

  it('gives its login nothing of the log but adding to it', async () => {
    const control = await connectAs(db.url, 'control');
    closing.push(() => control.end());
    for (const sql of [
      'SELECT 1 FROM audit.outbox',
      'DELETE FROM audit.outbox',
      `UPDATE audit.outbox SET event = ''`,
      'SELECT 1 FROM audit.events',
      'DELETE FROM audit.events',
      'SELECT 1 FROM audit.heads',
    ])
      await expect(control.query(sql)).rejects.toThrow('permission denied');
  });
});
