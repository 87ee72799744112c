import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { ROLE_OF_STANDING, UserEntity } from '../auth/index.js';
import { KeysDestroyed, keyServiceFault } from '../encryption/index.js';
import type { Operation } from '../operations/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { Mailer } from '../platform/egress/index.js';
import { Log } from '../platform/observability/log.js';
import type { Tenant } from '../tenancy/index.js';

/** What there is to be told of a destruction of keys. */
export type DeletionWord = 'scheduled' | 'last_day' | 'begun' | 'cancelled';

/** People whom one step tells, before it is noted who was. */
const PAGE = 20;
const CANCELLING =
  'Until then whoever administers the organisation can cancel it: wax keys cancel-deletion, or DELETE /v1/keys/deletion.';
const GONE =
  'What they have sealed is gone then, for everybody and for ever: people and their sign-in, inputs and outputs of runs, provider keys.';

interface Wording {
  readonly subject: (name: string, due: string) => string;
  readonly text: (due: string) => readonly string[];
}

const WORDS: Readonly<Record<DeletionWord, Wording>> = {
  scheduled: {
    subject: (name, due) => `The keys of ${name} will be destroyed after ${due}`,
    text: (due) => [`Their destruction is scheduled for after ${due}. ${GONE}`, CANCELLING],
  },
  last_day: {
    subject: (name, due) => `Last day: the keys of ${name} will be destroyed after ${due}`,
    text: (due) => [`Less than a day is left: they are destroyed after ${due}. ${GONE}`, CANCELLING],
  },
  begun: {
    subject: (name) => `The keys of ${name} are destroyed`,
    text: (due) => [
      `The time in which it could be cancelled was over at ${due}. They are destroyed at this moment, which nobody can take back.`,
    ],
  },
  cancelled: {
    subject: (name) => `The keys of ${name} stay`,
    text: () => ['Their destruction was cancelled.'],
  },
};

/** How far a word has got: `told` is the last who was, in the order of their ids. */
export interface Told {
  readonly told: string | undefined;
  /** `stuck`: the mail server takes nothing at this moment, or addresses cannot be opened. */
  readonly state: 'more' | 'all' | 'stuck';
}

/** Tells whoever administers an organisation what becomes of its keys, by mail where the installation sends any. */
@Injectable()
export class DeletionMail {
  constructor(
    private readonly database: TenantDatabase,
    private readonly mailer: Mailer,
    private readonly log: Log,
  ) {}

  /** The next of them. A process that dies in between tells some of these a second time, under the same Message-ID. */
  page(
    tenant: Tenant,
    operation: Operation,
    word: DeletionWord,
    due: Date,
    signal: AbortSignal,
  ): Promise<Told> {
    return this.database.within(tenant, async (): Promise<Told> => {
      let told = operation.data['told'] as string | undefined;
      if (!this.mailer.available) return { told, state: 'all' };
      const ids = await this.#administrators(told);
      const addresses = await this.#addresses(ids);
      if (!addresses) return { told, state: 'stuck' };
      for (const id of ids) {
        if (signal.aborted) return { told, state: 'more' };
        const to = addresses.get(id);
        const messageId = `<${operation.id}.${word}.${id}@keys.waxell>`;
        if (to !== undefined && !(await this.#taken(to, messageId, tenant, WORDS[word], due)))
          return { told, state: 'stuck' };
        told = id;
      }
      return { told, state: ids.length < PAGE ? 'all' : 'more' };
    });
  }

  async #administrators(after: string | undefined): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>({
      text: `SELECT u.id FROM users u WHERE u.status = 'active' AND ${ROLE_OF_STANDING} IN ('Owner', 'Admin')
        AND ($1::uuid IS NULL OR u.id > $1) ORDER BY u.id LIMIT ${PAGE}`,
      values: [after ?? null],
    });
    return rows.map(({ id }) => id);
  }

  /** Undefined while they cannot be opened; none where they never can be again. */
  async #addresses(ids: readonly string[]): Promise<ReadonlyMap<string, string> | undefined> {
    try {
      const people = await this.database
        .repository(UserEntity)
        .find({ select: { id: true, email: true }, where: { id: In(ids) } });
      return new Map(
        people.flatMap(({ id, email }) => {
          const address = email?.revealUnlessErased();
          return address === undefined ? [] : [[id, address] as const];
        }),
      );
    } catch (error) {
      if (error instanceof KeysDestroyed) return new Map();
      if (keyServiceFault((error as Error).cause) === undefined) throw error;
      return undefined;
    }
  }

  /** Whether it is dealt with: an address that is refused for good is not tried again. */
  async #taken(
    to: string,
    messageId: string,
    { name, slug }: Tenant,
    { subject, text }: Wording,
    due: Date,
  ): Promise<boolean> {
    const when = due.toISOString();
    const lines = [
      `This is about the encryption keys of ${name} (${slug}).`,
      ...text(when),
      "Who has done what stands in the organisation's audit log, as keys.deletion_scheduled and keys.deletion_cancelled.",
    ];
    try {
      await this.mailer.send({
        to: [to],
        subject: subject(name, when),
        text: `${lines.join('\n\n')}\n`,
        messageId,
      });
      return true;
    } catch (error) {
      const { responseCode } = error as { responseCode?: unknown };
      const code = typeof responseCode === 'number' ? responseCode : undefined;
      this.log.warn(
        `A mail about a destruction of keys was not taken by the mail server: ${code === undefined ? 'unreachable' : `SMTP ${code}`}.`,
      );
      return code !== undefined && code >= 500;
    }
  }
}
