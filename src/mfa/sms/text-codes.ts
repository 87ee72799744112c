import { randomInt, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { FieldEncryption } from '../../encryption/index.js';
import { SecondFactorConfig } from '../../platform/config/index.js';
import { currentTenant, TenantDatabase } from '../../platform/database/index.js';
import { NumberNotAllowed, TextMessagesNotOffered, TooManyTextMessages } from './sms.errors.js';
import { TextMessages } from './text-messages.js';

export const CODE_SECONDS = 300;
/** Whoever asks again and again costs the operator money, and whoever has the number sleep. */
const OF_PERSON_AN_HOUR = 5;
const TO_NUMBER_A_DAY = 10;

export interface TextCode {
  readonly number: string;
  readonly code: string;
}

interface Counts extends Record<string, unknown> {
  of_person: number;
  to_number: number;
  of_all: number;
}

/** Codes in text messages, kept as pseudonyms for a day: what was sent is counted by all processes together. */
@Injectable()
export class TextCodes {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly config: SecondFactorConfig,
    private readonly messages: TextMessages,
  ) {}

  /**
   * Draws a code for a challenge, and counts its message before it is sent; in the running unit of work.
   * @throws {TextMessagesNotOffered | NumberNotAllowed | TooManyTextMessages}
   */
  async draw(userId: string, challengeId: string, number: string): Promise<TextCode> {
    const { textMessages } = this.config;
    if (!textMessages) throw new TextMessagesNotOffered();
    if (!textMessages.prefixes.some((prefix) => number.startsWith(prefix))) throw new NumberNotAllowed();
    const numberHash = await this.encryption.pseudonym(currentTenant(), 'number', number);
    // So that many at once do not count past each other: all of them wait for the organisation's first person, whose row
    // is never deleted. A tenant's role has no advisory locks.
    await this.database.query({
      text: 'SELECT 1 FROM users ORDER BY id LIMIT 1 FOR NO KEY UPDATE',
      values: [],
    });
    await this.database.query({
      text: `DELETE FROM text_messages WHERE sent_at <= now() - interval '1 day'`,
      values: [],
    });
    await this.#refuseTooMany(userId, numberHash, textMessages.perDay);
    const code = String(randomInt(1_000_000)).padStart(6, '0');
    const id = uuidv7();
    await this.database.query({
      text: `INSERT INTO text_messages (id, user_id, number_hash, code_hash, challenge_id) VALUES ($1, $2, $3, $4, $5)`,
      values: [id, userId, numberHash, await this.#codeHash(id, code), challengeId],
    });
    return { number, code };
  }

  /** Once it is committed. @throws {TextMessageNotTaken} */
  async send({ number, code }: TextCode): Promise<void> {
    const text = `${code} is your Waxell code for five minutes. Tell it to nobody: we never ask for it.`;
    await this.messages.send(number, text);
  }

  /** The message whose code it is: the last that was sent for the challenge, not older than five minutes, not used. */
  async matching(challengeId: string, userId: string, code: string): Promise<string | undefined> {
    const [row] = await this.database.query<{ id: string; code_hash: Buffer; lives: boolean }>({
      text: `SELECT id, code_hash,
          used_at IS NULL AND sent_at > now() - make_interval(secs => ${CODE_SECONDS}) AS lives
        FROM text_messages WHERE challenge_id = $1 AND user_id = $2 ORDER BY sent_at DESC, id DESC LIMIT 1`,
      values: [challengeId, userId],
    });
    if (!row?.lives) return undefined;
    return timingSafeEqual(row.code_hash, await this.#codeHash(row.id, code)) ? row.id : undefined;
  }

  /** Whether it could be used, in the running unit of work: of two uses at once one is the first. */
  async use(id: string): Promise<boolean> {
    const rows = await this.database.query({
      text: 'UPDATE text_messages SET used_at = now() WHERE id = $1 AND used_at IS NULL RETURNING id',
      values: [id],
    });
    return rows.length > 0;
  }

  async #refuseTooMany(userId: string, numberHash: Buffer, perDay: number): Promise<void> {
    const [counts] = await this.database.query<Counts>({
      text: `SELECT count(*) FILTER (WHERE user_id = $1 AND sent_at > now() - interval '1 hour')::int AS of_person,
          count(*) FILTER (WHERE number_hash = $2)::int AS to_number, count(*)::int AS of_all
        FROM text_messages`,
      values: [userId, numberHash],
    });
    if (!counts) throw new Error('Counting answers a row.');
    if (counts.of_person >= OF_PERSON_AN_HOUR) throw new TooManyTextMessages('TEXT_MESSAGES_OF_PERSON');
    if (counts.to_number >= TO_NUMBER_A_DAY) throw new TooManyTextMessages('TEXT_MESSAGES_TO_NUMBER');
    if (counts.of_all >= perDay) throw new TooManyTextMessages('TEXT_MESSAGES_OF_ORGANISATION');
  }

  /** Of so few digits a plain hash would tell all: this one nothing without the tenant's key. */
  #codeHash(id: string, code: string): Promise<Buffer> {
    return this.encryption.pseudonym(currentTenant(), 'text code', `${id}\0${code}`);
  }
}
