import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';

/** What callers sign to be shown once (`jti`): a client's assertions and proofs of a key. */
@Injectable()
export class ShownOnce {
  constructor(private readonly database: TenantDatabase) {}

  /**
   * Notes in the running transaction that something was shown; false where it was shown before. Only what was verified is
   * noted, so that nobody else can fill the table, and for as long as it would be believed.
   * @param signer whose `id` it is: two may choose the same
   */
  async first(kind: 'assertion' | 'dpop', signer: string, id: string, until: Date): Promise<boolean> {
    await this.database.query({ text: 'DELETE FROM oauth_shown WHERE expires_at <= now()', values: [] });
    const key = hash('sha256', JSON.stringify([kind, signer, id]), 'buffer');
    const { rowCount } = await this.database.execute({
      text: 'INSERT INTO oauth_shown (key, expires_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING',
      values: [key, until],
    });
    return rowCount === 1;
  }
}
