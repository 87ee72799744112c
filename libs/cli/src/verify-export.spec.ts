import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  chainHash,
  EMPTY_CHAIN,
  EXPIRED,
  expiryOf,
  formatVerifier,
  Frontier,
  leafHash,
  parseVerifier,
  signCheckpoint,
} from '@waxell/transparency';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyExport } from './verify-export.js';

const NAME = 'waxell.example/audit';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const VERIFIERS = [parseVerifier(formatVerifier(NAME, publicKey))];
const ORIGIN = `${NAME}/t_0123456789abcdef`;

interface Line {
  seq: number;
  event: string;
  chain: string;
}

/** A log as the server exports it; its checkpoint at any size. */
function exported(events: readonly string[]): {
  lines: Line[];
  checkpoint: (size: number, key?: typeof privateKey) => string;
} {
  let chain = EMPTY_CHAIN;
  const lines = events.map((event, at) => {
    chain = chainHash(chain, at + 1, leafHash(Buffer.from(event)));
    return { seq: at + 1, event, chain: chain.toString('base64') };
  });
  const checkpoint = (size: number, key = privateKey): string => {
    const frontier = Frontier.of(Buffer.alloc(0), 0);
    for (const event of events.slice(0, size)) frontier.append(leafHash(Buffer.from(event)));
    return signCheckpoint({ origin: ORIGIN, size, root: frontier.root(), extension: [] }, [
      { name: NAME, key },
    ]);
  };
  return { lines, checkpoint };
}

const texts = (lines: readonly Line[], note?: string): string[] => [
  ...lines.map((line) => JSON.stringify(line)),
  ...(note === undefined ? [] : [JSON.stringify({ checkpoint: note })]),
];

const events = Array.from({ length: 40 }, (_, at) => JSON.stringify({ v: 1, action: 'agent.read', at }));
const original = exported(events);
const end = original.checkpoint(40);

/** What a superuser can do to a log and still hand out a file of it, with what it is called. */
const TAMPERED: readonly [string, string, number | undefined, (lines: Line[]) => string[]][] = [
  [
    'an event is altered',
    'event_altered',
    17,
    (lines) =>
      texts(
        lines.map((line) =>
          line.seq === 17 ? { ...line, event: line.event.replace('read', 'gone') } : line,
        ),
        end,
      ),
  ],
  [
    'the last event is altered',
    'event_altered',
    40,
    (lines) =>
      texts(
        lines.map((line) => (line.seq === 40 ? { ...line, event: '{}' } : line)),
        end,
      ),
  ],
  [
    'a link is altered',
    'hash_altered',
    17,
    (lines) =>
      texts(
        lines.map((line) =>
          line.seq === 17 ? { ...line, chain: randomBytes(32).toString('base64') } : line,
        ),
        end,
      ),
  ],
  [
    'an event is deleted',
    'event_missing',
    17,
    (lines) =>
      texts(
        lines.filter(({ seq }) => seq !== 17),
        end,
      ),
  ],
  [
    'an event is put in between',
    'event_inserted',
    18,
    (lines) =>
      texts([...lines.slice(0, 17), { ...(lines[16] as Line), event: '{}' }, ...lines.slice(17)], end),
  ],
  [
    'two events change places',
    'event_missing',
    17,
    (lines) => texts([...lines.slice(0, 16), lines[17] as Line, lines[16] as Line, ...lines.slice(18)], end),
  ],
  ['the end is cut off', 'truncated', 31, (lines) => texts(lines.slice(0, 30), end)],
  ['the end is cut off with its checkpoint', 'checkpoint_missing', 31, (lines) => texts(lines.slice(0, 30))],
  [
    'events are added after the end',
    'event_inserted',
    41,
    () => texts(exported([...events, '{}']).lines, end),
  ],
  [
    'an event is altered and everything after it recomputed',
    'rewritten',
    1,
    () => texts(exported(events.map((event, at) => (at === 16 ? '{}' : event))).lines, end),
  ],
  [
    'all of it is recomputed and signed by a key of nobody',
    'checkpoint_forged',
    undefined,
    () => {
      const forged = exported(events.map((event, at) => (at === 16 ? '{}' : event)));
      return texts(forged.lines, forged.checkpoint(40, generateKeyPairSync('ed25519').privateKey));
    },
  ],
  [
    'a line is no line of an export',
    'malformed',
    undefined,
    (lines) => [...texts(lines.slice(0, 5)), '{"seq":6}', ...texts(lines.slice(6), end)],
  ],
];

describe('the verification of an export', () => {
  it('finds an untouched one intact, and holds it against every checkpoint that was kept', async () => {
    const kept = [1, 16, 39, 40].map((size) => original.checkpoint(size));
    expect(await verifyExport(texts(original.lines, end), VERIFIERS, kept)).toEqual({
      events: 40,
      checkpoints: [1, 16, 39, 40, 40],
    });
  });

  it.each(TAMPERED)('says so when %s', async (_what, kind, seq, tamper) => {
    const { finding } = await verifyExport(tamper(structuredClone(original.lines)), VERIFIERS, []);
    expect({ kind: finding?.kind, seq: finding?.seq }).toEqual({ kind, seq });
  });

  it('finds a log that was rewritten and signed again by who has the keys, from a checkpoint that was kept', async () => {
    const forged = exported(events.map((event, at) => (at === 16 ? '{}' : event)));
    const lines = texts(forged.lines, forged.checkpoint(40));
    expect((await verifyExport(lines, VERIFIERS, [])).finding).toBeUndefined();
    const kept = [original.checkpoint(10), original.checkpoint(30)];
    const { finding, checkpoints } = await verifyExport(lines, VERIFIERS, kept);
    expect(checkpoints).toEqual([10]);
    expect(finding).toMatchObject({ kind: 'rewritten', seq: 11 });
  });

  it('finds a log that was cut short and signed again, from a checkpoint that was kept', async () => {
    const short = exported(events.slice(0, 20));
    const { finding } = await verifyExport(texts(short.lines, short.checkpoint(20)), VERIFIERS, [
      original.checkpoint(30),
    ]);
    expect(finding).toMatchObject({ kind: 'truncated', seq: 21 });
  });

  describe('whose beginning is gone', () => {
    /** As an export begins after some events; the last of those that follow may say why. */
    const cut = (after: number, changes?: (truth: ReturnType<typeof expiryOf>) => unknown) => {
      const chain = Buffer.from(original.lines[after - 1]?.chain ?? '', 'base64');
      const edge = Frontier.of(Buffer.alloc(0), 0);
      for (const event of events.slice(0, after)) edge.append(leafHash(Buffer.from(event)));
      const frontier = edge.bytes();
      const truth = expiryOf(1, { seq: after, chain, frontier });
      const said = changes ? [JSON.stringify({ v: 1, action: EXPIRED, changes: changes(truth) })] : [];
      const log = exported([...events, ...said]);
      const line = { after, chain: chain.toString('base64'), frontier: frontier.toString('base64') };
      const rest = texts(log.lines.slice(after), log.checkpoint(log.lines.length));
      return { lines: [JSON.stringify(line), ...rest], checkpoint: log.checkpoint };
    };

    it('is intact where an event that follows says that exactly this was over its time', async () => {
      const { lines, checkpoint } = cut(20, (truth) => truth);
      expect(await verifyExport(lines, VERIFIERS, [checkpoint(20), checkpoint(30)])).toEqual({
        events: 21,
        checkpoints: [20, 30, 41],
        begins: { after: 20, vouchedBy: 41, unheld: [] },
      });
    });

    it.each([
      ['none', undefined],
      ['one of other events', (truth: object) => ({ ...truth, last: 19 })],
      ['one of another chain', (truth: object) => ({ ...truth, chain: 'x' })],
      ['one of another tree', (truth: object) => ({ ...truth, root: 'x' })],
      ['one that says nothing', () => undefined],
    ])(
      'is not where the event that should say so is %s, unless who verifies knows it',
      async (_what, said) => {
        const { lines } = cut(20, said);
        const { finding } = await verifyExport(lines, VERIFIERS, []);
        expect(finding).toMatchObject({ kind: 'beginning_missing', seq: 1 });
        expect((await verifyExport(lines, VERIFIERS, [], 19)).finding).toMatchObject(finding ?? {});
        expect(await verifyExport(lines, VERIFIERS, [], 20)).toMatchObject({ begins: { after: 20 } });
        expect((await verifyExport(lines, VERIFIERS, [], 20)).finding).toBeUndefined();
      },
    );

    it('names the kept checkpoints that are of what is gone, and is not intact unless who verifies knows it', async () => {
      const { lines, checkpoint } = cut(20, (truth) => truth);
      const kept = [checkpoint(10), checkpoint(19), checkpoint(20)];
      const { finding } = await verifyExport(lines, VERIFIERS, kept);
      expect(finding).toMatchObject({ kind: 'checkpoint_unheld' });
      expect(finding?.message).toContain('10, 19 events');
      const told = await verifyExport(lines, VERIFIERS, kept, 20);
      expect(told).toMatchObject({ checkpoints: [20, 41], begins: { unheld: [10, 19], vouchedBy: 41 } });
      expect(told.finding).toBeUndefined();
    });
  });

  it('finds any single change of any line', async () => {
    const all = texts(original.lines, end);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(all.length - 1),
        fc.nat(),
        fc.constantFrom(...'x0Zé"'),
        async (at, where, what) => {
          const line = all[at] ?? '';
          const position = where % line.length;
          const altered = line.slice(0, position) + what + line.slice(position + 1);
          fc.pre(altered !== line && !sameMeaning(altered, line));
          const lines = [...all.slice(0, at), altered, ...all.slice(at + 1)];
          expect((await verifyExport(lines, VERIFIERS, [])).finding).toBeDefined();
        },
      ),
      { numRuns: 400 },
    );
  });
});

/** Base64 can say the same bytes in several ways, and JSON the same value. */
function sameMeaning(one: string, other: string): boolean {
  try {
    const [a, b] = [one, other].map((text) => {
      const { seq, event, chain } = JSON.parse(text) as Partial<Line>;
      return seq === undefined
        ? text
        : JSON.stringify([seq, event, Buffer.from(chain ?? '', 'base64').toString('hex')]);
    });
    return a === b;
  } catch {
    return false;
  }
}
