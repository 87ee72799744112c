import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
import type { AuditEventDto } from '../../src/audit/audit.dto.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { FieldUnreadable, SealedObjects } from '../../src/encryption/index.js';
import { ExpireExports } from '../../src/exports/expire-exports.js';
import { ExportParts } from '../../src/exports/export-parts.js';
import { ExportRows } from '../../src/exports/export-rows.js';
import type { AuditExportDto } from '../../src/exports/exports.dto.js';
import { SavedExports } from '../../src/exports/saved-exports.js';
import { WriteExport } from '../../src/exports/write-export.js';
import type { Operation, Step, StepResult } from '../../src/operations/index.js';
import { RegionConfig } from '../../src/platform/config/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { TenantObjects } from '../../src/platform/objects/index.js';
import { Log } from '../../src/platform/observability/log.js';
import { coldLogOf, indexerOf, searchOf, storesOf } from '../support/log-parts.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { openSealing, type Sealing } from '../support/sealing.js';

const STOP = new AbortController().signal;
const CANARY = 'canary-of-an-id';

let sealing: Sealing;
let store: MemoryObjects;
let log: AuditLog;
let a: TenantRef;
let b: TenantRef;
let rows: ExportRows;
let exports: SavedExports;
let expire: ExpireExports;
let steps: Record<string, Step>;
let begun: Operation[];
let recorded: { action: string; outcome: string; changes?: Record<string, unknown> }[];

beforeAll(async () => {
  sealing = await openSealing([]);
  log = new AuditLog(sealing.db.cells);
  [a, b] = [await sealing.newTenant(), await sealing.newTenant()];
  for (const tenant of [a, b]) await append(tenant, 5_000);
  await indexerOf(sealing.db.cells).complete(a, 5_000);
});
afterAll(() => sealing.close());

beforeEach(() => {
  const { cells } = sealing.db;
  store = new MemoryObjects();
  [begun, recorded] = [[], []];
  const objects = new SealedObjects(new TenantObjects(storesOf(cells, store)), sealing.encryption);
  rows = new ExportRows(cells, sealing.encryption);
  const parts = new ExportParts(objects);
  const cold = coldLogOf(cells, store);
  const work = {
    bookkeeping: (_reason: string, _id: string, change: (r: never) => unknown) => change({} as never),
  };
  const operations = {
    start: (_registry: never, operation: Operation) => begun.push({ ...operation, createdAt: new Date() }),
  };
  const runner = {
    nudge: () => undefined,
    register: (_kind: string, given: Record<string, Step>) => (steps = given),
  };
  const tenants = { current: (id: string) => Promise.resolve([a, b].find((tenant) => tenant.id === id)) };
  const events = { record: (_tenant: TenantRef, event: never) => Promise.resolve(recorded.push(event)) };
  exports = new SavedExports(rows, parts, log, cold, work as never, operations as never, runner as never);
  const search = searchOf(cells, log, cold);
  new WriteExport(
    runner as never,
    tenants as never,
    rows,
    parts,
    search,
    log,
    cold,
    events as never,
  ).onModuleInit();
  expire = new ExpireExports(cells, rows, parts, new RegionConfig(undefined, {}), new Log('silent'));
});

async function append(tenant: TenantRef, count: number): Promise<void> {
  const event = (at: number) =>
    canonicalEvent(
      newEventId(),
      tenant,
      {
        action: at % 2 === 0 ? 'agent.read' : 'agent.created',
        actor: { type: 'user', id: at % 5 === 0 ? CANARY : 'bob' },
        outcome: 'success',
        // So that a few thousand events are several parts.
        changes: { text: `${at} `.repeat(100) },
      },
      undefined,
    );
  await Promise.all(Array.from({ length: count }, (_, at) => log.append(tenant, event(at))));
}

/** One step, as a process does it; where it was killed before it was noted, the same step comes again. */
async function step(operation: Operation): Promise<StepResult> {
  const run = steps[operation.step];
  if (!run) throw new Error(`There is no step ${operation.step}.`);
  return run(operation, STOP);
}

function after(operation: Operation, result: StepResult): Operation | undefined {
  if (result === 'done') return undefined;
  return {
    ...operation,
    step: 'next' in result ? result.next : operation.step,
    data: result.data ?? operation.data,
  };
}

async function carriedOut(killed = false): Promise<number> {
  let count = 0;
  for (let operation: Operation | undefined = begun.shift(); operation; count += 1) {
    if (killed) await step(operation);
    operation = after(operation, await step(operation));
  }
  return count;
}

async function contentOf(tenant: TenantRef, { id }: AuditExportDto) {
  const headers: Record<string, string> = {};
  const pieces: Buffer[] = [];
  const response = {
    once: () => undefined,
    off: () => undefined,
    status: () => ({ set: (more: Record<string, string>) => Object.assign(headers, more) }),
    write: (piece: Buffer) => pieces.push(piece) > 0,
    end: () => undefined,
    destroy: (error: Error) => {
      throw error;
    },
  };
  await (await exports.content(tenant, id)).serve(response as never, {} as never);
  return { headers, content: Buffer.concat(pieces) };
}

describe('an export of a search', () => {
  it.each([false, true])(
    'has what the search finds, once and whole, with its digest; every step killed once: %s',
    async (killed) => {
      const filter = { actor: CANARY, action: 'agent.read' };
      const to = await log.length(a);
      const ordered = await exports.create(a, 'jsonl', filter);
      expect(ordered).toMatchObject({ status: 'WRITING', format: 'jsonl', from: 1, to, filter });
      await append(a, 10);
      expect(await carriedOut(killed)).toBeGreaterThanOrEqual(2);
      const { headers, content } = await contentOf(a, ordered);
      const events = content
        .toString()
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as AuditEventDto);
      // Every tenth of those that are appended at a time.
      const numbers = Array.from({ length: to / 10 }, (_, at) => to - 9 - at * 10);
      expect(events.map(({ seq }) => seq)).toEqual(numbers);
      const sha256 = createHash('sha256').update(content);
      const hex = sha256.copy().digest('hex');
      expect(await exports.get(a, ordered.id)).toMatchObject({
        status: 'READY',
        events: numbers.length,
        bytes: content.length,
        sha256: hex,
      });
      expect(headers).toMatchObject({
        'Content-Type': 'application/jsonl',
        'Content-Length': String(content.length),
        'Repr-Digest': `sha-256=:${sha256.digest('base64')}:`,
      });
      expect(recorded[0]).toMatchObject({
        action: 'audit_export.completed',
        changes: { events: numbers.length, sha256: hex },
      });
      await exports.delete(a, ordered.id);
    },
  );

  it('is of several parts where it is large, of which one is in memory, each sealed', async () => {
    const ordered = await exports.create(a, 'csv');
    const count = await carriedOut();
    expect(count).toBeGreaterThan(3);
    const { content } = await contentOf(a, ordered);
    const lines = content.toString().split('\r\n');
    expect(lines[0]).toMatch(/^seq,id,at,action,/);
    expect(lines.slice(1, -1).map((line) => Number(line.split(',')[0]))).toEqual(
      Array.from({ length: ordered.to }, (_, at) => ordered.to - at),
    );
    const stored = [...store.stored.values()];
    expect(stored).toHaveLength(count - 1);
    for (const object of stored) {
      expect(object.length).toBeLessThan(1_500_000);
      expect(object.includes('agent.read')).toBe(false);
    }
    const { rows: plain } = await sealing.db.superuser.query<{ row: string }>(
      'SELECT e::text AS row FROM audit.exports e',
    );
    expect(plain.length).toBeGreaterThan(0);
    for (const { row } of plain) expect(row).not.toContain(Buffer.from(CANARY).toString('hex'));
    await exports.delete(a, ordered.id);
  });

  it('is nobody else’s', async () => {
    const ordered = await exports.create(a, 'jsonl', { action: 'agent.created' });
    await carriedOut();
    for (const ask of ['get', 'content', 'delete'] as const)
      await expect(exports[ask](b, ordered.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await exports.list(b)).items).toEqual([]);
    // Where the objects change places, the neighbour's cannot be opened.
    const own = await exports.create(b, 'jsonl', { action: 'agent.created' });
    await carriedOut();
    for (const [key, object] of store.stored)
      if (key.includes(ordered.id))
        store.stored.set(key.replace(a.id, b.id).replace(ordered.id, own.id), object);
    await expect(contentOf(b, own)).rejects.toBeInstanceOf(FieldUnreadable);
    for (const [tenant, { id }] of [
      [a, ordered],
      [b, own],
    ] as const)
      await exports.delete(tenant, id);
  });

  it('that finds nothing is empty, and has the digest of nothing', async () => {
    const ordered = await exports.create(b, 'jsonl', { action: 'nothing.happened' });
    await carriedOut();
    const { content, headers } = await contentOf(b, ordered);
    expect(content).toHaveLength(0);
    expect(headers['Repr-Digest']).toBe(`sha-256=:${createHash('sha256').digest('base64')}:`);
    await exports.delete(b, ordered.id);
  });

  it('begins anew where a part of it was lost before it was finished', async () => {
    const ordered = await exports.create(a, 'jsonl', { actor: CANARY });
    const first = begun[0] as Operation;
    begun = [after(first, await step(first)) as Operation];
    store.stored.clear();
    await carriedOut();
    const { content } = await contentOf(a, ordered);
    expect(content.toString().split('\n')).toHaveLength(((await exports.get(a, ordered.id)).events ?? 0) + 1);
    await exports.delete(a, ordered.id);
  });

  it('cannot be read before it is written, nor when its time is over, and then its content goes', async () => {
    const ordered = await exports.create(a, 'jsonl', { actor: CANARY });
    await expect(exports.content(a, ordered.id)).rejects.toMatchObject({ code: 'AUDIT_EXPORT_NOT_READY' });
    await carriedOut();
    await contentOf(a, ordered);
    await sealing.db.superuser.query('UPDATE audit.exports SET expires_at = now() WHERE id = $1', [
      ordered.id,
    ]);
    await expect(exports.content(a, ordered.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expire.round(STOP);
    expect([...store.stored.keys()].filter((key) => key.includes(ordered.id))).toEqual([]);
    const left = await sealing.db.superuser.query('SELECT 1 FROM audit.exports WHERE id = $1', [ordered.id]);
    expect(left.rows).toEqual([]);
  });

  it('ends without a word where its row was never written, as the request was not answered', async () => {
    await exports.create(a, 'jsonl');
    const [operation] = begun.splice(0) as [Operation];
    await sealing.db.superuser.query('DELETE FROM audit.exports');
    expect(await step(operation)).toEqual({ again: 1 });
    expect(await step({ ...operation, createdAt: new Date(Date.now() - 61_000) })).toBe('done');
    expect([recorded, store.stored.size]).toEqual([[], 0]);
  });

  it('is one of at most ten, and of times that begin before they end', async () => {
    for (let at = 0; at < 10; at += 1) await exports.create(b, 'csv', { actor: 'nobody' });
    await expect(exports.create(b, 'csv')).rejects.toMatchObject({ code: 'TOO_MANY_EXPORTS' });
    const turned = { since: '2026-01-02T00:00:00Z', until: '2026-01-01T00:00:00Z' };
    await expect(exports.create(a, 'csv', turned)).rejects.toMatchObject({
      errors: [{ pointer: '/filter/until' }],
    });
  });
});
