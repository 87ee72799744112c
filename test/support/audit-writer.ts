// A process that appends to tenants' logs until it is killed, and says which events it was told are durable.
// Run by Node as it is, on the built application: `audit-writer.ts URL LOGIN_SECRET CELL REGION TENANT...`.
import pg from 'pg';
import type { TenantRef } from '../../src/platform/database/index.js';

const [url = '', secret = '', cell = '', region = '', ...tenants] = process.argv.slice(2);
const built = async <T>(path: string): Promise<T> =>
  (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as T;
const { Cell, Cells } = await built<typeof import('../../src/platform/database/index.js')>(
  'platform/database/index.js',
);
const { AuditLog } = await built<typeof import('../../src/audit/audit-log.js')>('audit/audit-log.js');
const { canonicalEvent, newEventId } =
  await built<typeof import('../../src/audit/audit-event.js')>('audit/audit-event.js');

const CALLERS = 8;
const config = { name: cell, region, capacity: 10, ownerUrl: url };
const pools = { tenant: 1, lane: 1, control: 1, audit: 2 };
const cells = new Cells([new Cell(config, secret, pools, [], () => undefined)]);
await cells.open();
const log = new AuditLog(cells);
const outbox = new pg.Pool({ connectionString: url, max: 2 });
outbox.on('error', () => undefined);
const refs = tenants.map((id) => ({ id, region, cell }) as TenantRef);

/** One event, as a request's that changed nothing is appended, or as a transaction leaves it in the outbox. */
async function round(at: number): Promise<void> {
  const tenant = refs[at % refs.length];
  if (!tenant) throw new Error('There is no tenant.');
  const id = newEventId();
  const actor = { type: 'system', id: 'writer' } as const;
  const event = { action: 'profile.read', actor, outcome: 'success', changes: { at } } as const;
  const made = canonicalEvent(id, tenant, event, undefined);
  if (at % 3 === 0) {
    await outbox.query('INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)', [tenant.id, made.bytes]);
    log.outboxFilled(cell);
  } else {
    await log.append(tenant, made);
  }
  process.stdout.write(`${id}\n`);
}

async function caller(first: number): Promise<void> {
  for (let at = first; ; at += CALLERS) await round(at);
}
await Promise.all(Array.from({ length: CALLERS }, (_, at) => caller(at)));
