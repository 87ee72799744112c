import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalEvent, newEventId, type AuditEvent } from '../../src/audit/audit-event.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { CloseLog } from '../../src/audit/close-log.js';
import type { VerifyLog } from '../../src/audit/verify-log.js';
import type { Verification } from '../../src/audit/verify-walk.js';
import { TenantErasure, type TenantRef } from '../../src/platform/database/index.js';
import { DATABASE_ROUTES } from '../support/database-routes.js';
import { verifierOf } from '../support/log-parts.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const EVENT: AuditEvent = {
  action: 'agent.read',
  actor: { type: 'user', id: 'somebody' },
  outcome: 'success',
};

describe.each(DATABASE_ROUTES)('the audit log, $route', ({ options }) => {
  let db: TestDatabase;
  let writers: AuditLog[];
  let verifyLog: VerifyLog;

  beforeAll(async () => {
    db = await openTestDatabase(options);
    // Two processes, as far as the log can tell: each remembers its own heads.
    writers = [new AuditLog(db.cells), new AuditLog(db.cells)];
    verifyLog = verifierOf(db.cells, writer(0));
  });
  afterAll(() => db.close());

  const writer = (at: number): AuditLog => writers[at % writers.length] as AuditLog;
  const event = (tenant: TenantRef, changes?: Record<string, unknown>) =>
    canonicalEvent(newEventId(), tenant, { ...EVENT, ...(changes && { changes }) }, undefined);
  const append = (tenant: TenantRef, count: number): Promise<void[]> =>
    Promise.all(Array.from({ length: count }, (_, at) => writer(at).append(tenant, event(tenant))));
  const verify = (tenant: TenantRef): Promise<Verification> => verifyLog.execute(tenant);

  it('holds what two writers append at the same time, without fork or gap, each tenant for itself', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()];
    for (let round = 0; round < 5; round += 1) await Promise.all([append(a, 60), append(b, 40)]);
    expect(await verify(a)).toMatchObject({ valid: true, checked: 300 });
    expect(await verify(b)).toMatchObject({ valid: true, checked: 200 });
    const { rows } = await db.superuser.query<{ n: number; last: number }>(
      'SELECT count(*)::int AS n, max(seq)::int AS last FROM audit.events WHERE tenant = $1',
      [a.id],
    );
    expect(rows[0]).toEqual({ n: 300, last: 300 });
  });

  it('makes an event durable before it says so', async () => {
    const tenant = await db.newTenant();
    const sent = event(tenant);
    await writer(0).append(tenant, sent);
    const { rows } = await db.superuser.query('SELECT event FROM audit.events WHERE tenant = $1', [
      tenant.id,
    ]);
    expect(rows).toEqual([{ event: sent.bytes }]);
  });

  it('that is closed takes nothing more, from nobody, and says where it ended; its neighbour goes on', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()];
    await append(a, 20);
    const { head } = await verify(a);
    const erasure = new TenantErasure(db.cells);
    const closing = writers.map((log) => new CloseLog(log, erasure));
    const ends = await Promise.all(closing.map((one) => one.close(a)));
    const end = { events: 20, chainHash: head.chainHash, rootHash: head.rootHash };
    expect(ends).toEqual([end, end]);
    // Both writers remember the head; one event waits in the outbox; a notice is on its way.
    const late = await Promise.allSettled([append(a, 1), writer(1).append(a, event(a)), append(b, 10)]);
    expect(late.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    await db.superuser.query('INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)', [
      a.id,
      event(a).bytes,
    ]);
    await writer(0).appendOnce(a, event(a).bytes);
    await writer(0).drainOutbox(a.cell);
    await closing[0]?.erase(a, new AbortController().signal);
    const { rows } = await db.superuser.query(
      `SELECT 1 FROM audit.events WHERE tenant = $1 UNION ALL SELECT 1 FROM audit.heads WHERE tenant = $1
       UNION ALL SELECT 1 FROM audit.outbox WHERE tenant = $1`,
      [a.id],
    );
    expect(rows).toEqual([]);
    expect(await closing[1]?.close(a)).toEqual(end);
    expect(await verify(b)).toMatchObject({ valid: true, checked: 10 });
  });

  it('that pauses keeps what its transactions committed until it goes on; its neighbour’s is appended', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()];
    await Promise.all([append(a, 3), append(b, 3)]);
    await db.superuser.query('UPDATE audit.heads SET closed_at = seq WHERE tenant = $1', [a.id]);
    const outbox = 'INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)';
    for (const tenant of [a, b]) await db.superuser.query(outbox, [tenant.id, event(tenant).bytes]);
    for (const log of writers) await log.drainOutbox(a.cell);
    await expect(append(a, 1)).rejects.toThrow('not open in this cell');
    expect(await verify(b)).toMatchObject({ valid: true, checked: 4 });
    const waiting = 'SELECT tenant FROM audit.outbox WHERE tenant = ANY($1)';
    expect((await db.superuser.query(waiting, [[a.id, b.id]])).rows).toEqual([{ tenant: a.id }]);
    await db.superuser.query('UPDATE audit.heads SET closed_at = NULL WHERE tenant = $1', [a.id]);
    await writer(1).drainOutbox(a.cell);
    expect(await verify(a)).toMatchObject({ valid: true, checked: 4 });
    expect((await db.superuser.query(waiting, [[a.id, b.id]])).rows).toEqual([]);
  });

  it('that is not closed cannot be erased', async () => {
    const tenant = await db.newTenant();
    await append(tenant, 5);
    expect(await new TenantErasure(db.cells).eraseLog(tenant, 100)).toBe(0);
    expect(await verify(tenant)).toMatchObject({ valid: true, checked: 5 });
  });

  it('takes an event once that is delivered by two writers, again and again', async () => {
    const tenant = await db.newTenant();
    const notices = Array.from({ length: 10 }, () => event(tenant));
    await Promise.all(
      [0, 1, 0, 1].flatMap((at) => notices.map(({ bytes }) => writer(at).appendOnce(tenant, bytes))),
    );
    await append(tenant, 5);
    expect(await verify(tenant)).toMatchObject({ valid: true, checked: 15 });
  });

  it('is verified whatever is in its events, and a column of such an event that was changed is found', async () => {
    const tenant = await db.newTenant();
    for (const text of ['zürich ✓', 'a "quoted" one', 'back\\slash\n', '\u2028', 'x'.repeat(20_000)])
      await writer(0).append(tenant, event(tenant, { text }));
    await append(tenant, 20);
    expect(await verify(tenant)).toMatchObject({ valid: true, checked: 25 });
    const change = 'UPDATE audit.events SET at = $3 WHERE tenant = $1 AND seq = $2';
    const { rows } = await db.superuser.query<{ at: string }>(
      'SELECT at::text AS at FROM audit.events WHERE tenant = $1 ORDER BY seq',
      [tenant.id],
    );
    for (const seq of [2, 25]) {
      for (const other of ['infinity', '0044-03-15 12:00:00+00 BC', '294276-12-31 00:00:00+00']) {
        await db.superuser.query(change, [tenant.id, seq, other]);
        expect((await verify(tenant)).finding).toMatchObject({ seq, kind: 'columns_altered' });
      }
      await db.superuser.query(change, [tenant.id, seq, rows[seq - 1]?.at]);
    }
    expect(await verify(tenant)).toMatchObject({ valid: true, checked: 25 });
  });

  it('moves what transactions committed into the log, in their order, and nothing of those that failed', async () => {
    const tenant = await db.newTenant();
    const put = (changes: Record<string, unknown>) =>
      db.database.query({
        text: 'INSERT INTO audit.outbox (event) VALUES ($1)',
        values: [event(tenant, changes).bytes],
      });
    for (let at = 0; at < 5; at += 1) {
      await db.database.within(tenant, () => db.transactions.run(() => put({ at })));
    }
    const failing = db.database.within(tenant, () =>
      db.transactions.run(async () => {
        await put({ at: 'never' });
        throw new Error('rolled back');
      }),
    );
    await expect(failing).rejects.toThrow('rolled back');
    await Promise.all([writer(0).drainOutbox(tenant.cell), writer(1).drainOutbox(tenant.cell)]);
    const { rows } = await db.superuser.query<{ event: Buffer }>(
      'SELECT event FROM audit.events WHERE tenant = $1 ORDER BY seq',
      [tenant.id],
    );
    const order = rows.map(
      (row) => (JSON.parse(row.event.toString()) as { changes: { at: number } }).changes.at,
    );
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(await verify(tenant)).toMatchObject({ valid: true, checked: 5 });
  });

  it.each([
    ['no JSON', Buffer.from('\u0000not json')],
    ['JSON that is no event', Buffer.from('{"v":1}')],
    ['an event of another tenant', undefined],
    ['invalid UTF-8', Buffer.from([0xff, 0xfe, 0x7b])],
  ])('notes, and is not stopped by, %s in the outbox', async (_what, bytes) => {
    const [tenant, other] = [await db.newTenant(), await db.newTenant()];
    const forged = bytes ?? event(other).bytes;
    await db.database.within(tenant, () =>
      db.transactions.run(() =>
        db.database.query({ text: 'INSERT INTO audit.outbox (event) VALUES ($1)', values: [forged] }),
      ),
    );
    await writer(0).drainOutbox(tenant.cell);
    const { rows } = await db.superuser.query<{ tenant: string; action: string }>(
      'SELECT tenant, action FROM audit.events WHERE tenant = ANY($1)',
      [[tenant.id, other.id]],
    );
    expect(rows).toEqual([{ tenant: tenant.id, action: 'audit.event_rejected' }]);
    expect(await verify(tenant)).toMatchObject({ valid: true });
  });

  describe('finds out who, as a superuser,', () => {
    const WHERE = 'WHERE tenant = $1 AND seq = 7';
    it.each([
      [
        'edits one byte of an event',
        `UPDATE audit.events SET event = set_byte(event, 20, get_byte(event, 20) # 1) ${WHERE}`,
        'event_altered',
        7,
      ],
      [
        'edits an event and its leaf hash',
        `UPDATE audit.events SET event = 'x', leaf_hash = sha256('\\x0078'::bytea) ${WHERE}`,
        'hash_altered',
        7,
      ],
      ['edits a chain hash', `UPDATE audit.events SET chain_hash = sha256('x') ${WHERE}`, 'hash_altered', 7],
      [
        'edits the actor that is searched for',
        `UPDATE audit.events SET actor = 'somebody-else' ${WHERE}`,
        'columns_altered',
        7,
      ],
      [
        'edits the action that is searched for',
        `UPDATE audit.events SET action = 'nothing.happened' ${WHERE}`,
        'columns_altered',
        7,
      ],
      [
        'moves the time that is searched for',
        `UPDATE audit.events SET at = at + interval '1 microsecond' ${WHERE}`,
        'columns_altered',
        7,
      ],
      ['deletes an event', `DELETE FROM audit.events ${WHERE}`, 'event_missing', 7],
      [
        'deletes the last events',
        'DELETE FROM audit.events WHERE tenant = $1 AND seq > 6',
        'log_truncated',
        7,
      ],
      [
        'deletes the last event and rewinds the head',
        `WITH gone AS (DELETE FROM audit.events WHERE tenant = $1 AND seq = 12 RETURNING 1) UPDATE audit.heads SET seq = 11 WHERE tenant = $1`,
        'head_altered',
        11,
      ],
      ['deletes the head', 'DELETE FROM audit.heads WHERE tenant = $1', 'head_altered', 1],
      [
        'edits the frontier',
        `UPDATE audit.heads SET frontier = sha256('x') WHERE tenant = $1`,
        'head_altered',
        12,
      ],
      [
        'adds an event behind the head',
        `INSERT INTO audit.events SELECT tenant, 13, gen_random_uuid(), at, action, actor, outcome, event, leaf_hash, chain_hash FROM audit.events ${WHERE}`,
        'head_altered',
        13,
      ],
      [
        'exchanges two events',
        `UPDATE audit.events e SET event = o.event, leaf_hash = o.leaf_hash, id = o.id, at = o.at FROM audit.events o WHERE e.tenant = $1 AND o.tenant = $1 AND e.seq + o.seq = 15 AND e.seq IN (7, 8)`,
        'hash_altered',
        7,
      ],
    ])('%s', async (_what, tampering, kind, seq) => {
      const [tenant, other] = [await db.newTenant(), await db.newTenant()];
      await append(tenant, 12);
      await append(other, 3);
      expect(await verify(tenant)).toMatchObject({ valid: true, checked: 12 });
      const touched = await db.superuser.query(tampering, [tenant.id]);
      expect(touched.rowCount).toBeGreaterThan(0);
      expect(await verify(tenant)).toMatchObject({ valid: false, finding: { kind, seq } });
      expect(await verify(other)).toMatchObject({ valid: true, checked: 3 });
    });
  });

  it('refuses an append while the database cannot take it, and goes on afterwards', async () => {
    const tenant = await db.newTenant();
    await append(tenant, 2);
    await db.superuser.query('ALTER TABLE audit.events ADD CONSTRAINT full_disk CHECK (false) NOT VALID');
    for (const [at] of writers.entries()) {
      await expect(writer(at).append(tenant, event(tenant))).rejects.toThrow(/cannot be written/);
    }
    await db.superuser.query('ALTER TABLE audit.events DROP CONSTRAINT full_disk');
    await append(tenant, 2);
    expect(await verify(tenant)).toMatchObject({ valid: true, checked: 4 });
  });
});
