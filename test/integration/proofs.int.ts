import { generateKeyPairSync } from 'node:crypto';
import {
  consistencyProof,
  formatVerifier,
  leafHash,
  openCheckpoint,
  parseVerifier,
  verifyConsistency,
  verifyInclusion,
} from '@waxell/transparency';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { CellObjects } from '../../src/platform/objects/index.js';
import { RetentionConfig } from '../../src/platform/config/index.js';
import { Log } from '../../src/platform/observability/log.js';
import type { CheckpointKeys } from '../../src/proofs/checkpoint-keys.js';
import { Checkpointer } from '../../src/proofs/checkpointer.js';
import { ProveLog } from '../../src/proofs/prove-log.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { verifierOf } from '../support/log-parts.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const NAME = 'waxell.example/audit';
const VERIFIER = parseVerifier(formatVerifier(NAME, publicKey));
const KEYS = {
  name: NAME,
  signers: () => Promise.resolve([{ name: NAME, key: privateKey }]),
} as unknown as CheckpointKeys;

describe('proofs of a log', () => {
  let db: TestDatabase;
  let log: AuditLog;
  let objects: MemoryObjects;
  let prove: ProveLog;
  let checkpointer: Checkpointer;

  beforeAll(async () => {
    db = await openTestDatabase();
    log = new AuditLog(db.cells);
    objects = new MemoryObjects();
    [prove, checkpointer] = [process(), checkpointerOf()];
  });
  afterAll(() => db.close());

  /** Another process of the application, as far as this goes. */
  function process(): ProveLog {
    const stores = new CellObjects(new Map([[db.cells.home.name, objects]]));
    return new ProveLog(db.cells, checkpointerOf(), stores);
  }

  function checkpointerOf(): Checkpointer {
    const stores = new CellObjects(new Map([[db.cells.home.name, objects]]));
    const retention = new RetentionConfig(90, 365, { hotDays: 365, coldDays: 3_650 });
    return new Checkpointer(db.cells, log, KEYS, stores, new Log('silent'), retention);
  }

  /** Appends events, and answers their bytes in the order of the log. */
  async function append(tenant: TenantRef, count: number): Promise<void> {
    const event = () =>
      canonicalEvent(
        newEventId(),
        tenant,
        { action: 'agent.read', actor: { type: 'user', id: 'somebody' }, outcome: 'success' },
        undefined,
      );
    await Promise.all(Array.from({ length: count }, () => log.append(tenant, event())));
  }

  async function bytes(tenant: TenantRef): Promise<Buffer[]> {
    const { rows } = await db.superuser.query<{ event: Buffer }>(
      'SELECT event FROM audit.events WHERE tenant = $1 ORDER BY seq',
      [tenant.id],
    );
    return rows.map((row) => row.event);
  }

  it('has a signed checkpoint of all that was appended, with the root that the whole log gives', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()];
    await Promise.all([append(a, 700), append(b, 3)]);
    for (const [tenant, size] of [
      [a, 700],
      [b, 3],
    ] as const) {
      const { note } = await prove.current(tenant);
      const opened = openCheckpoint(note, [VERIFIER]);
      const { head } = await verifierOf(db.cells, log).execute(tenant);
      expect(opened).toMatchObject({ origin: `${NAME}/${tenant.id}`, size });
      expect(opened.root.toString('hex')).toBe(head.rootHash);
      expect(opened.extension).toContain(`chain ${Buffer.from(head.chainHash, 'hex').toString('base64')}`);
    }
  });

  it('proves every event in every checkpoint, and no event in another place', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()];
    const sizes: { size: number; root: Buffer }[] = [];
    for (const count of [1, 255, 300, 1]) {
      await Promise.all([append(a, count), append(b, 5)]);
      sizes.push(await prove.current(a));
    }
    const events = await bytes(a);
    expect(sizes.map(({ size }) => size)).toEqual([1, 256, 556, 557]);
    for (const { size, root } of sizes) {
      for (const seq of [1, 2, 128, 256, 257, 512, 556, 557].filter((number) => number <= size)) {
        const proof = await prove.inclusion(a, seq, size);
        const leaf = leafHash(events[seq - 1] ?? Buffer.alloc(0));
        verifyInclusion(leaf, seq - 1, size, proof.hashes, root);
        if (size > 1)
          expect(() => verifyInclusion(leaf, seq % size, size, proof.hashes, root)).toThrow('proof');
      }
    }
    await expect(prove.inclusion(a, 557, 556)).rejects.toThrow('not valid');
    await expect(prove.inclusion(b, 1, 557)).rejects.toThrow('No such checkpoint');
  });

  it('proves that nothing changed between any two checkpoints', async () => {
    const tenant = await db.newTenant();
    const points: { size: number; root: Buffer }[] = [];
    for (const count of [3, 300, 40, 256]) {
      await append(tenant, count);
      points.push(await prove.current(tenant));
    }
    for (const [at, older] of points.entries()) {
      for (const newer of points.slice(at)) {
        const { hashes } = await prove.consistency(tenant, older.size, newer.size);
        verifyConsistency(older, newer, hashes);
      }
    }
    expect(consistencyProof(0, 0, () => Buffer.alloc(0))).toEqual([]);
  });

  it('publishes every checkpoint in one log for all, whatever several processes do at once', async () => {
    const tenants = await Promise.all(Array.from({ length: 4 }, () => db.newTenant()));
    const processes = [prove, process(), process()];
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(tenants.map((tenant) => append(tenant, 20)));
      await Promise.all(tenants.flatMap((tenant) => processes.map((each) => each.current(tenant))));
    }
    for (const tenant of tenants) {
      const all = await prove.list(tenant, undefined, 100);
      expect(all.at(0)?.size).toBe(80);
      for (const { size, note } of all) {
        const { root, index, hashes } = await prove.publication(tenant, size);
        const published = openCheckpoint(root.note, [VERIFIER]);
        // Of this cell's log of checkpoints alone: another's is another log.
        expect(published.origin).toBe(`${NAME}/roots/${tenant.cell}`);
        verifyInclusion(leafHash(Buffer.from(note)), index, published.size, hashes, published.root);
      }
    }
    const { rows } = await db.superuser.query<{ n: number; last: number }>(
      'SELECT count(*)::int AS n, max(seq)::int AS last FROM audit.roots',
    );
    expect(rows[0]?.n).toBe(rows[0]?.last);
  });

  it('proves by checkpoints that somebody has kept for longer than we: inclusion, consistency and publication', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()];
    const kept: { size: number; root: Buffer; note: string }[] = [];
    for (const count of [3, 300, 290]) {
      await Promise.all([append(a, count), append(b, 2)]);
      kept.push(await prove.current(a));
      await prove.current(b);
    }
    await db.superuser.query(`UPDATE audit.checkpoints SET at = now() - interval '8 days'`);
    await append(b, 1);
    await prove.current(b);
    expect((await prove.list(a, undefined, 10)).map(({ size }) => size)).toEqual([593]);
    const events = await bytes(a);
    const newest = await prove.current(a);
    for (const { size, root, note } of kept) {
      const proof = await prove.inclusion(a, 2, size);
      expect(proof.rootHash).toEqual(root);
      verifyInclusion(leafHash(events[1] ?? Buffer.alloc(0)), 1, size, proof.hashes, root);
      const between = await prove.consistency(a, size, newest.size);
      expect(between).toMatchObject({ fromRootHash: root, toRootHash: newest.root });
      verifyConsistency({ size, root }, newest, between.hashes);
      const published = await prove.publication(a, size);
      expect(published.leafHash).toEqual(leafHash(Buffer.from(note)));
      const all = openCheckpoint(published.root.note, [VERIFIER]);
      verifyInclusion(published.leafHash, published.index, all.size, published.hashes, all.root);
    }
    await expect(prove.publication(a, 4)).rejects.toThrow('No such checkpoint');
    await expect(prove.publication(b, 3)).rejects.toThrow('No such checkpoint');
    await expect(prove.consistency(b, 1, 593)).rejects.toThrow('No such checkpoint');
  });

  it('proves that the log of checkpoints has only grown, and shows where somebody changed it', async () => {
    const [a, b] = [await db.newTenant(), await db.newTenant()];
    await Promise.all([append(a, 2), append(b, 2)]);
    const kept = await prove.current(a);
    const before = await prove.publication(a, kept.size);
    const [older] = [openCheckpoint(before.root.note, [VERIFIER])];
    await append(b, 3);
    await prove.current(b);
    const newer = openCheckpoint((await prove.publication(b, undefined)).root.note, [VERIFIER]);
    expect(newer.size).toBeGreaterThan(older.size);
    const { hashes } = await prove.rootConsistency(b, older.size, newer.size);
    verifyConsistency(older, newer, hashes);
    await expect(prove.rootConsistency(b, 1, newer.size + 1_000)).rejects.toThrow('No such checkpoint');
    // A superuser takes a checkpoint back.
    const seq = before.index + 1;
    await db.superuser.query('UPDATE audit.roots SET leaf_hash = sha256(leaf_hash) WHERE seq = $1', [seq]);
    try {
      const after = await prove.publication(a, kept.size);
      const leaf = leafHash(Buffer.from(kept.note));
      expect(() => verifyInclusion(leaf, after.index, newer.size, after.hashes, newer.root)).not.toThrow();
      expect(after.leafHash).not.toEqual(leaf);
      const shown = await prove.publication(b, undefined);
      const own = leafHash(Buffer.from((await prove.current(b)).note));
      expect(() => verifyInclusion(own, shown.index, newer.size, shown.hashes, newer.root)).toThrow('root');
    } finally {
      await db.superuser.query('UPDATE audit.roots SET leaf_hash = $2 WHERE seq = $1', [
        seq,
        before.leafHash,
      ]);
    }
  });

  it('signs while the store is down, and stores full tiles and checkpoints as objects once it is there again', async () => {
    const [tenant, other] = [await db.newTenant(), await db.newTenant()];
    objects.fail = Number.POSITIVE_INFINITY;
    await append(other, 300);
    await prove.current(other);
    await append(tenant, 520);
    const { size, note } = await prove.current(tenant);
    expect(size).toBe(520);
    await checkpointer.stored(db.cells.home);
    const before = await objects.list(`tenants/${tenant.id}/audit/tile/`, { limit: 10 });
    expect(before).toEqual([]);
    objects.fail = 0;
    await checkpointer.stored(db.cells.home);
    expect(await objects.list(`tenants/${other.id}/audit/tile/`, { limit: 10 })).toHaveLength(1);
    const leaves = (await bytes(tenant)).map((event) => leafHash(event));
    expect(await objects.list(`tenants/${tenant.id}/audit/tile/`, { limit: 10 })).toEqual([
      `tenants/${tenant.id}/audit/tile/0/000`,
      `tenants/${tenant.id}/audit/tile/0/001`,
    ]);
    expect(objects.stored.get(`tenants/${tenant.id}/audit/tile/0/001`)).toEqual(
      Buffer.concat(leaves.slice(256, 512)),
    );
    const rounds = [...objects.stored].filter(([key]) => key.startsWith('audit/roots/checkpoint/'));
    const leaf = leafHash(Buffer.from(note)).toString('base64');
    const covering = rounds.filter(([, body]) => body.includes(leaf));
    expect(covering).toHaveLength(1);
    // What everybody was shown is locked for as long as logs are kept.
    const locked = await objects.locks.of(covering[0]?.[0] ?? '');
    expect(locked.retainUntil?.getTime()).toBeGreaterThan(Date.now() + 364 * 86_400_000);
  });

  it('shows a log that was rewritten: its new root is in no checkpoint', async () => {
    const tenant = await db.newTenant();
    await append(tenant, 10);
    const kept = await prove.current(tenant);
    await db.superuser.query(
      `UPDATE audit.events SET event = 'forged', leaf_hash = $2 WHERE tenant = $1 AND seq = 4`,
      [tenant.id, leafHash(Buffer.from('forged'))],
    );
    const proof = await prove.inclusion(tenant, 4, kept.size);
    expect(() => verifyInclusion(proof.leafHash, 3, kept.size, proof.hashes, kept.root)).toThrow(
      'another root',
    );
  });
});
