import { hash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';

const CODES = 10;
const CODE_LENGTH = 16;
/** Crockford's: nothing that is read for something else. Thirty-two signs, so a byte's low five bits choose evenly. */
const SIGNS = '0123456789abcdefghjkmnpqrstvwxyz';

/** Codes for when a factor is lost: each of eighty random bits, kept as a hash, good once. */
@Injectable()
export class RecoveryCodes {
  constructor(private readonly database: TenantDatabase) {}

  /** Makes ten, in the place of whatever there was; in the running unit of work. They can be read this once. */
  async replace(userId: string): Promise<string[]> {
    const codes = Array.from({ length: CODES }, newCode);
    await this.clear(userId);
    await this.database.query({
      text: 'INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])',
      values: [userId, codes.map((code) => codeHash(userId, code))],
    });
    return codes;
  }

  async clear(userId: string): Promise<void> {
    await this.database.query({ text: 'DELETE FROM recovery_codes WHERE user_id = $1', values: [userId] });
  }

  /** Whether it is one of the person's that was not used. It may be used by another before it is by this one. */
  async fits(userId: string, code: string): Promise<boolean> {
    const rows = await this.database.query({
      text: 'SELECT 1 FROM recovery_codes WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL',
      values: [userId, codeHash(userId, code)],
    });
    return rows.length > 0;
  }

  /** Uses a code up, in the running unit of work. Whether it was there to be used. */
  async use(userId: string, code: string): Promise<boolean> {
    const used = await this.database.query({
      text: `UPDATE recovery_codes SET used_at = now()
        WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL RETURNING used_at`,
      values: [userId, codeHash(userId, code)],
    });
    return used.length > 0;
  }

  async left(userId: string): Promise<number> {
    const [row] = await this.database.query<{ count: number }>({
      text: 'SELECT count(*)::int AS count FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL',
      values: [userId],
    });
    return row?.count ?? 0;
  }
}

function newCode(): string {
  const signs = Array.from(randomBytes(CODE_LENGTH), (byte) => SIGNS[byte & 31]).join('');
  return signs.match(/.{4}/g)?.join('-') ?? signs;
}

/** As a person may type it: capitals, blanks and dashes are not looked at, and o, i and l are the digits they look like. */
function codeHash(userId: string, code: string): Buffer {
  const plain = code.toLowerCase().replaceAll(/[\s-]/g, '').replaceAll('o', '0').replaceAll(/[il]/g, '1');
  return hash('sha256', JSON.stringify([userId, plain]), 'buffer');
}
