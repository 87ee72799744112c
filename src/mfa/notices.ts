import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { UserEntity } from '../auth/index.js';
import { Mailer } from '../platform/egress/index.js';
import { Log } from '../platform/observability/log.js';

const WORDS = {
  factor_added: [
    'A second factor was added to your account',
    'From now on it is asked for when you sign in.',
  ],
  factor_removed: ['A second factor was removed from your account', 'It does not work any more.'],
  factors_reset: [
    'Your second factors were taken away by an administrator',
    'Your sessions have ended. Set up a second factor when you sign in again.',
  ],
  recovery_code_used: [
    'A recovery code was used to prove who you are',
    'It does not work a second time. Whoever loses a telephone or key removes it, and makes new codes.',
  ],
  recovery_codes_replaced: ['Your recovery codes were replaced', 'The former ones do not work any more.'],
} as const;

export type Notice = keyof typeof WORDS;

/**
 * Tells people of what changes how they sign in, by mail where the installation sends any: whoever did not do it learns
 * that somebody has. The log has each of them whatever becomes of the mail.
 */
@Injectable()
export class Notices implements BeforeApplicationShutdown {
  readonly #underWay = new Set<Promise<void>>();

  constructor(
    private readonly mailer: Mailer,
    private readonly log: Log,
  ) {}

  /** Once it is committed. Nobody waits for the mail server. */
  tell({ email }: Pick<UserEntity, 'email'>, what: Notice): void {
    if (!this.mailer.available || !email) return;
    const [subject, consequence] = WORDS[what];
    const text = `${subject}. ${consequence}\n\nIf it was not you, tell an administrator of your organisation at once.\n`;
    const sent = this.mailer
      .send({ to: [email.reveal()], subject, text, messageId: `<${uuidv7()}@second-factor.waxell>` })
      .catch(() => this.log.warn('A notice about a second factor was not taken by the mail server.'))
      .finally(() => this.#underWay.delete(sent));
    this.#underWay.add(sent);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.#underWay);
  }
}
