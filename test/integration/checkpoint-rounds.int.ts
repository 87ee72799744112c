import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { AuditLog } from '../../src/audit/audit-log.js';
import { RetentionConfig } from '../../src/platform/config/index.js';
import { Cell, Cells } from '../../src/platform/database/index.js';
import { CellObjects } from '../../src/platform/objects/index.js';
import { Log } from '../../src/platform/observability/log.js';
import type { CheckpointKeys } from '../../src/proofs/checkpoint-keys.js';
import { Checkpointer } from '../../src/proofs/checkpointer.js';
import { TcpRelay } from '../fakes/tcp-relay.js';
import { appendEvents } from '../support/cold-logs.js';
import { eventually } from '../support/eventually.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { LOGIN_SECRET, openTestDatabase, type TestDatabase } from '../support/test-database.js';

const NAME = 'waxell.example/audit';
const { privateKey } = generateKeyPairSync('ed25519');
const KEYS = {
  name: NAME,
  signers: () => Promise.resolve([{ name: NAME, key: privateKey }]),
} as unknown as CheckpointKeys;

it('a cell that answers nothing keeps no other from its checkpoints, and neither does a store that never answers', async () => {
  const [first, second] = [await openTestDatabase(), await openTestDatabase()];
  const url = new URL(first.url);
  const relay = await TcpRelay.to(Number(url.port));
  url.port = String(relay.port);
  const pools = { tenant: 2, lane: 1, control: 2, audit: 2 };
  const cell = (name: string, ownerUrl: string): Cell =>
    new Cell({ name, region: 'eu-test-1', capacity: 10, ownerUrl }, LOGIN_SECRET, pools, [], () => undefined);
  const cells = new Cells([cell('silent', url.href), cell('other', second.url)]);
  await cells.open();
  try {
    const log = new AuditLog(cells);
    const waiting = new MemoryObjects();
    let letGo: (() => void) | undefined;
    waiting.put = () => new Promise((resolve) => (letGo = resolve));
    const stores = new CellObjects(
      new Map([
        ['silent', new MemoryObjects()],
        ['other', waiting],
      ]),
    );
    const retention = new RetentionConfig(90, 365, { hotDays: 365, coldDays: 3_650 });
    const checkpointer = new Checkpointer(cells, log, KEYS, stores, new Log('silent'), retention);
    const tenant = { ...(await second.newTenant()), cell: 'other' };
    await appendEvents(log, tenant, 300);
    const signed = async (db: TestDatabase): Promise<number> =>
      (await db.superuser.query('SELECT FROM audit.checkpoints WHERE log = $1', [tenant.id])).rows.length;
    await checkpointer.bringUp(cells.of('other'));
    await eventually(async () => {
      await Promise.resolve();
      expect(letGo).toBeDefined();
    }, 5_000);
    relay.fallSilent();
    await appendEvents(log, tenant, 1);
    checkpointer.onApplicationBootstrap();
    await eventually(async () => expect(await signed(second)).toBe(2), 20_000);
    await relay.mend();
    waiting.put = () => Promise.resolve();
    letGo?.();
    await checkpointer.beforeApplicationShutdown();
  } finally {
    await relay.mend();
    await cells.close();
    relay.cut();
    await Promise.all([first.close(), second.close()]);
  }
});
