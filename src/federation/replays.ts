import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';

/** Nothing is remembered for longer: what is good for longer is refused. */
export const LONGEST_LIFE_MS = 24 * 3_600_000;

/** Assertions and tokens that a provider gives out to be shown once. */
@Injectable()
export class Replays {
  constructor(private readonly database: TenantDatabase) {}

  /**
   * Notes in the running transaction that something was shown; false where it was shown before. Only what is proven to be
   * the provider's is noted, so that nobody else can fill the table, and for as long as it would be believed.
   */
  async first(connectionId: string, kind: 'assertion' | 'logout', id: string, until: Date): Promise<boolean> {
    await this.database.query({ text: 'DELETE FROM sso_replays WHERE expires_at <= now()', values: [] });
    const key = hash('sha256', JSON.stringify([connectionId, kind, id]), 'buffer');
    const { rowCount } = await this.database.execute({
      text: 'INSERT INTO sso_replays (key, expires_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING',
      values: [key, until],
    });
    return rowCount === 1;
  }
}
