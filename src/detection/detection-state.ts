import { Injectable } from '@nestjs/common';
import { EMPTY_CHAIN } from '@waxell/transparency';
import { TenantDatabase } from '../platform/database/index.js';
import { Memory } from './memory.js';

/** How far a log was looked at, with the link of its chain there, and what is remembered. */
export interface DetectionState {
  readonly seq: number;
  readonly chain: Buffer;
  readonly memory: Memory;
  /** As it is stored, to see what of it has changed. */
  readonly stored: ReadonlyMap<string, string>;
}

const PARTS = ['windows', 'found', 'actors', 'organisation', 'networks', 'clock'] as const;

/** Another process has looked at the same events; what this one has found is what that one has. */
export class LookedAtElsewhere extends Error {
  override readonly name = 'LookedAtElsewhere';
}

/** What following a log has come to, in the schema of the tenant in scope. */
@Injectable()
export class DetectionStates {
  constructor(private readonly database: TenantDatabase) {}

  async load(): Promise<DetectionState> {
    const [progress] = await this.database.query<{ seq: string; chain_hash: Buffer }>({
      name: 'detection_progress',
      text: 'SELECT seq, chain_hash FROM detection_progress',
      values: [],
    });
    const rows = await this.database.query<{ part: string; value: string }>({
      name: 'detection_state',
      text: 'SELECT part, value::text AS value FROM detection_state',
      values: [],
    });
    const parts = Object.fromEntries(rows.map(({ part, value }) => [part, JSON.parse(value) as unknown]));
    return {
      seq: Number(progress?.seq ?? 0),
      chain: progress?.chain_hash ?? EMPTY_CHAIN,
      memory: new Memory(parts),
      // As JSON writes it: the database keeps another form of the same.
      stored: new Map(Object.entries(parts).map(([part, value]) => [part, JSON.stringify(value)])),
    };
  }

  /** In the running transaction. @throws {LookedAtElsewhere} unless it is still as it was when it was loaded */
  async save(before: DetectionState, seq: number, chain: Buffer): Promise<void> {
    const { rowCount } = await this.database.execute({
      text: `INSERT INTO detection_progress AS p (seq, chain_hash) VALUES ($2, $3)
        ON CONFLICT (singleton) DO UPDATE SET seq = $2, chain_hash = $3 WHERE p.seq = $1`,
      values: [before.seq, seq, chain],
    });
    if (rowCount !== 1) throw new LookedAtElsewhere();
    const now = before.memory.stored();
    for (const part of PARTS) {
      const value = JSON.stringify(now[part]);
      if (value === (before.stored.get(part) ?? '[]')) continue;
      await this.database.query({
        text: `INSERT INTO detection_state (part, value) VALUES ($1, $2) ON CONFLICT (part) DO UPDATE SET value = $2`,
        values: [part, value],
      });
    }
  }
}
