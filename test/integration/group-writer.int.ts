import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { GroupWriter } from '../../src/audit/group-writer.js';
import { Cell, Cells, type TenantRef } from '../../src/platform/database/index.js';
import { ServiceUnavailable } from '../../src/platform/http/errors.js';
import { TcpRelay } from '../fakes/tcp-relay.js';
import { verifierOf } from '../support/log-parts.js';
import { LOGIN_SECRET, openTestDatabase, type TestDatabase } from '../support/test-database.js';

let db: TestDatabase;
let relay: TcpRelay;
/** The same database, behind a network that can fall silent. */
let cells: Cells;
let a: TenantRef;
let b: TenantRef;

beforeAll(async () => {
  db = await openTestDatabase();
  [a, b] = [await db.newTenant(), await db.newTenant()];
  const url = new URL(db.url);
  relay = await TcpRelay.to(Number(url.port));
  url.port = String(relay.port);
  const { name, region } = db.cells.home;
  const pools = { tenant: 2, lane: 1, control: 2, audit: 2 };
  const config = { name, region, capacity: 10, ownerUrl: url.href };
  cells = new Cells([new Cell(config, LOGIN_SECRET, pools, [], () => undefined)]);
  await cells.open();
});
afterAll(async () => {
  await relay.mend();
  await cells.close();
  relay.cut();
  await db.close();
});

const event = (tenant: TenantRef, text = '') =>
  canonicalEvent(
    newEventId(),
    tenant,
    {
      action: 'agent.read',
      actor: { type: 'user', id: 'somebody' },
      outcome: 'success',
      changes: { text },
    },
    undefined,
  );

describe('what waits for a log', () => {
  it.each([
    ['is appended to by one flush', true],
    ['is appended to under locks, where another process has appended meanwhile', false],
  ])(
    'is refused, and what is refused is said to be, where the database falls silent while it %s',
    async (_how, known) => {
      const writer = new GroupWriter(cells.home, { events: 50, bytes: 1_000_000, silenceMs: 400 });
      const answered: string[] = [];
      const append = async (tenant: TenantRef): Promise<void> => {
        const made = event(tenant);
        await writer.append(tenant.id, made);
        answered.push(made.search.id);
      };
      if (known) await Promise.all([append(a), append(b), append(a)]);
      relay.fallSilent();
      const settled = await Promise.allSettled(Array.from({ length: 60 }, (_, at) => append(at % 2 ? a : b)));
      const refused = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
      expect(refused).toHaveLength(60);
      for (const error of refused) expect(error).toBeInstanceOf(ServiceUnavailable);
      expect(refused.filter((error) => String(error).includes('cannot keep up'))).toHaveLength(10);
      await relay.mend();
      await sleep(200);
      await Promise.all(Array.from({ length: 40 }, (_, at) => append(at % 2 ? a : b)));
      await writer.drain();
      const { rows } = await db.superuser.query<{ id: string }>('SELECT id FROM audit.events');
      expect(rows.map(({ id }) => id)).toEqual(expect.arrayContaining(answered));
      for (const tenant of [a, b])
        expect(await verifierOf(db.cells, new AuditLog(db.cells)).execute(tenant)).toMatchObject({
          valid: true,
        });
      await writer.close();
    },
  );

  it('is bounded in bytes as well, and none the less written in groups that a database takes', async () => {
    const writer = new GroupWriter(cells.home, { events: 1_000, bytes: 20_000_000, silenceMs: 30_000 });
    const megabyte = 'x'.repeat(1_000_000);
    const settled = await Promise.allSettled(
      Array.from({ length: 24 }, () => writer.append(a.id, event(a, megabyte))),
    );
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(19);
    await writer.append(a.id, event(a, megabyte));
    expect(await verifierOf(db.cells, new AuditLog(db.cells)).execute(a)).toMatchObject({ valid: true });
    await writer.close();
  });
});
