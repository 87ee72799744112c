import { CoMETRE } from '@transmute/rfc9162';
import {
  chainHash,
  EMPTY_CHAIN,
  Frontier,
  leafHash,
  openCheckpoint,
  ProofRefused,
  verifyInclusion,
} from '@waxell/transparency';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyExport, type Verified } from '../../libs/cli/src/verify-export.js';
import type { StoredEvent } from '../../src/audit/stored-event.js';
import { logKeeping, VERIFIER, type LogKeeping } from '../support/cold-logs.js';
import { KEPT, SIZE, signedLog, type SignedLog } from '../support/signed-log.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const independent = CoMETRE.RFC9162_SHA256;

describe('a log that a superuser changes', { retry: 0 }, () => {
  let db: TestDatabase;
  let store: MemoryObjects;
  let keeping: LogKeeping;

  beforeAll(async () => {
    db = await openTestDatabase();
    store = new MemoryObjects();
    keeping = logKeeping(db, store);
  });
  afterAll(() => db.close());

  const newLog = async (): Promise<SignedLog> => signedLog(keeping, await db.newTenant());
  /** As whoever holds only the export and the checkpoints does it: without the database, without us. */
  const offline = async ({ tenant, kept }: SignedLog): Promise<Verified> =>
    verifyExport(await keeping.exported(tenant), [VERIFIER], kept);
  const sql = (text: string, { tenant }: SignedLog, ...values: unknown[]) =>
    db.superuser.query(text, [tenant.id, ...values]);
  const eventsOf = async ({ tenant }: SignedLog): Promise<StoredEvent[]> =>
    (
      await db.superuser.query<{ seq: string; event: Buffer; chain_hash: Buffer }>(
        'SELECT seq, event, chain_hash FROM audit.events WHERE tenant = $1 ORDER BY seq',
        [tenant.id],
      )
    ).rows.map((row) => ({ seq: Number(row.seq), event: row.event, chain: row.chain_hash }));
  const forgedOf = (event: Buffer): Buffer => Buffer.from(event.toString().replace('somebody', 'somebodx'));

  /** Makes the log of these events what it would be had they been logged: hashes, links, head; the system signs it anew. */
  async function rewrite(log: SignedLog, events: readonly Buffer[]): Promise<void> {
    let chain = EMPTY_CHAIN;
    const frontier = Frontier.of(Buffer.alloc(0), 0);
    await sql('DELETE FROM audit.events WHERE tenant = $1 AND seq > $2', log, events.length);
    for (const [at, event] of events.entries()) {
      const leaf = leafHash(event);
      chain = chainHash(chain, at + 1, leaf);
      frontier.append(leaf);
      await sql(
        'UPDATE audit.events SET event = $3, leaf_hash = $4, chain_hash = $5, actor = $6 WHERE tenant = $1 AND seq = $2',
        log,
        at + 1,
        event,
        leaf,
        chain,
        (JSON.parse(event.toString()) as { actor: { id: string } }).actor.id,
      );
    }
    await sql(
      'UPDATE audit.heads SET seq = $2, chain_hash = $3, frontier = $4 WHERE tenant = $1',
      log,
      events.length,
      chain,
      frontier.bytes(),
    );
    for (const table of ['checkpoints', 'progress', 'tiles'])
      await sql(`DELETE FROM audit.${table} WHERE log = $1`, log);
    // Another process has these heads in no memory.
    keeping = logKeeping(db, store);
  }

  const forge = async (log: SignedLog, seq: number): Promise<[Buffer, Buffer]> => {
    const events = await eventsOf(log);
    const { event } = events[seq - 1] as StoredEvent;
    return [forgedOf(event), leafHash(forgedOf(event))];
  };

  const CHANGES: readonly [
    string,
    Verified['finding'] extends infer F ? { kind: string; seq?: number } & Partial<F> : never,
    (log: SignedLog) => Promise<unknown>,
  ][] = [
    [
      'an event is altered',
      { kind: 'event_altered', seq: 17, message: expect.stringContaining('or that of event 16') as string },
      async (log) =>
        sql(
          'UPDATE audit.events SET event = $2 WHERE tenant = $1 AND seq = 17',
          log,
          (await forge(log, 17))[0],
        ),
    ],
    [
      'the first event after a checkpoint that was kept is altered',
      { kind: 'event_altered', seq: 11, message: 'The content of event 11 is not what was logged.' },
      async (log) =>
        sql(
          'UPDATE audit.events SET event = $2 WHERE tenant = $1 AND seq = 11',
          log,
          (await forge(log, 11))[0],
        ),
    ],
    [
      'an event is altered with its hash',
      { kind: 'event_altered', seq: 17 },
      async (log) =>
        sql(
          'UPDATE audit.events SET event = $2, leaf_hash = $3 WHERE tenant = $1 AND seq = 17',
          log,
          ...(await forge(log, 17)),
        ),
    ],
    [
      'the last event is altered',
      { kind: 'event_altered', seq: SIZE },
      async (log) =>
        sql(
          'UPDATE audit.events SET event = $2 WHERE tenant = $1 AND seq = $3',
          log,
          (await forge(log, SIZE))[0],
          SIZE,
        ),
    ],
    [
      'a link is altered',
      { kind: 'hash_altered', seq: 17 },
      (log) => sql(`UPDATE audit.events SET chain_hash = sha256('x') WHERE tenant = $1 AND seq = 17`, log),
    ],
    [
      // Up to the next checkpoint the links alone cannot say which of the two it was.
      'an event is altered with its hash and its link: the next one does not follow',
      {
        kind: 'event_altered',
        seq: 18,
        message: expect.stringContaining('event 17, with its link') as string,
      },
      async (log) => {
        const [event, leaf] = await forge(log, 17);
        const before = (await eventsOf(log))[15] as StoredEvent;
        const text =
          'UPDATE audit.events SET event = $2, leaf_hash = $3, chain_hash = $4 WHERE tenant = $1 AND seq = 17';
        return sql(text, log, event, leaf, chainHash(before.chain, 17, leaf));
      },
    ],
    [
      'an event is deleted',
      { kind: 'event_missing', seq: 17 },
      (log) => sql('DELETE FROM audit.events WHERE tenant = $1 AND seq = 17', log),
    ],
    [
      'an event is deleted, and those after it numbered anew',
      { kind: 'hash_altered', seq: 17 },
      async (log) => {
        await sql('DELETE FROM audit.events WHERE tenant = $1 AND seq = 17', log);
        await sql('UPDATE audit.events SET seq = seq - 1001 WHERE tenant = $1 AND seq > 17', log);
        return sql('UPDATE audit.events SET seq = seq + 1000 WHERE tenant = $1 AND seq < 0', log);
      },
    ],
    [
      'an event is put in a second time, into another period',
      { kind: 'event_inserted', seq: 18 },
      (log) =>
        sql(
          `INSERT INTO audit.events (tenant, seq, id, at, action, actor, outcome, event, leaf_hash, chain_hash, period)
           SELECT tenant, seq, id, at, action, actor, outcome, event, leaf_hash, chain_hash, period + 1
           FROM audit.events WHERE tenant = $1 AND seq = 17`,
          log,
        ),
    ],
    [
      'two events change places',
      { kind: 'hash_altered', seq: 17 },
      async (log) => {
        await sql('UPDATE audit.events SET seq = -17 WHERE tenant = $1 AND seq = 17', log);
        await sql('UPDATE audit.events SET seq = 17 WHERE tenant = $1 AND seq = 18', log);
        return sql('UPDATE audit.events SET seq = 18 WHERE tenant = $1 AND seq = -17', log);
      },
    ],
    [
      'the end is cut off',
      { kind: 'truncated', seq: 201 },
      (log) => sql('DELETE FROM audit.events WHERE tenant = $1 AND seq > 200', log),
    ],
    [
      'the end is cut off and the head rolled back, and what was signed deleted',
      { kind: 'truncated', seq: 201 },
      async (log) =>
        rewrite(
          log,
          (await eventsOf(log)).slice(0, 200).map(({ event }) => event),
        ),
    ],
    [
      'an event is altered and the whole log rewritten as if it had always been so, and signed anew',
      { kind: 'rewritten', seq: 11 },
      async (log) =>
        rewrite(
          log,
          (await eventsOf(log)).map(({ event }, at) => (at === 16 ? forgedOf(event) : event)),
        ),
    ],
    [
      'an event from before the first checkpoint is altered and all rewritten',
      { kind: 'rewritten', seq: 1 },
      async (log) =>
        rewrite(
          log,
          (await eventsOf(log)).map(({ event }, at) => (at === 2 ? forgedOf(event) : event)),
        ),
    ],
    [
      'what was signed is altered',
      { kind: 'checkpoint_forged' },
      (log) =>
        sql(
          `UPDATE audit.checkpoints SET note = replace(note, '320', '319') WHERE log = $1 AND size = 320`,
          log,
        ),
    ],
    [
      'what was signed of a neighbour is put in its place',
      { kind: 'checkpoint_forged' },
      async (log) => {
        const { note } = await keeping.prove.current((await newLog()).tenant);
        return sql('UPDATE audit.checkpoints SET note = $2 WHERE log = $1 AND size = 320', log, note);
      },
    ],
  ];

  it('verifies as long as nobody does, with the root that an independent implementation of RFC 9162 finds', async () => {
    const [log, neighbour] = [await newLog(), await newLog()];
    expect(await offline(log)).toEqual({ events: SIZE, checkpoints: [...KEPT, SIZE] });
    const entries = (await eventsOf(log)).map(({ event }) => new Uint8Array(event));
    const leaves = await Promise.all(entries.map((entry) => independent.leaf(entry)));
    for (const note of log.kept) {
      const { size, root } = openCheckpoint(note, [VERIFIER]);
      const found = await independent.root(leaves.slice(0, size));
      expect(Buffer.from(found).toString('hex')).toBe(root.toString('hex'));
    }
    expect((await offline(neighbour)).finding).toBeUndefined();
  });

  it.each(CHANGES)('shows it, and where: %s', async (_what, expected, change) => {
    const [log, neighbour] = [await newLog(), await newLog()];
    await change(log);
    expect((await offline(log)).finding).toMatchObject(expected);
    if (expected.kind !== 'checkpoint_forged') {
      const { valid } = await keeping.verify.execute(log.tenant);
      // A log that was rewritten as a whole is consistent in itself: that is what kept checkpoints are for.
      expect(valid).toBe(['rewritten', 'truncated'].includes(expected.kind) && (await isWhole(log)));
    }
    expect((await offline(neighbour)).finding).toBeUndefined();
  });

  async function isWhole(log: SignedLog): Promise<boolean> {
    const { rows } = await sql('SELECT seq FROM audit.heads WHERE tenant = $1', log);
    return Number((rows[0] as { seq: string }).seq) === (await eventsOf(log)).length;
  }

  it('proves nothing by tiles that were altered: no proof leads to what was signed', async () => {
    const log = await newLog();
    const [proven = ''] = log.kept.slice(-1);
    const { size, root } = openCheckpoint(proven, [VERIFIER]);
    const events = await eventsOf(log);
    await sql(`UPDATE audit.tiles SET hashes = sha256(hashes) WHERE log = $1`, log);
    const proof = await keeping.prove.inclusion(log.tenant, 300, size);
    const leaf = leafHash((events[299] as StoredEvent).event);
    expect(() => verifyInclusion(leaf, 299, size, proof.hashes, root)).toThrow(ProofRefused);
    await keeping.prove.current(log.tenant);
  });
});
